/** Users by the beginnings of their names, asked for while one types. */
import { explain } from '../lib/problems'
import { session, type User } from '../lib/session.svelte'

/** Typing goes on within this time. */
const PAUSE = 200

export class Search {
  query = $state('')
  /** Without the user. */
  found = $state.raw<readonly User[]>([])
  /** Whether the user is among them. */
  isSelf = $state(false)
  busy = $state(false)
  error = $state<string>()

  constructor() {
    $effect(() => {
      const query = this.query.trim()
      this.error = undefined
      this.busy = query !== ''
      if (query === '') {
        this.#show([])
        return
      }
      const stop = new AbortController()
      const timer = setTimeout(() => void this.#ask(query, stop.signal), PAUSE)
      return () => {
        clearTimeout(timer)
        stop.abort()
      }
    })
  }

  async #ask(query: string, signal: AbortSignal): Promise<void> {
    try {
      const path = `/api/users?${new URLSearchParams({ query, limit: '20' })}`
      const { items } = await session.call<{ items: User[] }>(path, { signal })
      if (signal.aborted) return
      this.#show(items)
    } catch (error) {
      if (signal.aborted) return
      this.#show([])
      this.error = explain(error)
    }
    this.busy = false
  }

  #show(users: readonly User[]): void {
    const others = users.filter(({ id }) => id !== session.user?.id)
    this.found = others
    this.isSelf = others.length < users.length
  }
}
