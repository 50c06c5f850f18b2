import { untrack } from 'svelte'
import { live } from './live.svelte'

/** For what failed without a connection: runs when there is one again. */
export function whenLive(run: () => void): void {
  const chat = live()
  let was = true
  $effect(() => {
    // A socket may outlive the network for a while.
    const isLive = chat.state.network && chat.state.connection.phase === 'live'
    if (isLive && !was) untrack(run)
    was = isLive
  })
}
