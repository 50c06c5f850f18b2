/** Users by the beginnings of their names, asked for while one types. */
import { explain } from '../lib/problems'
import { session, type User } from '../lib/session.svelte'

/** Typing goes on within this time. */
const PAUSE = 200

export class Search {
  query = $state('')
  found = $state.raw<readonly User[]>([])
  busy = $state(false)
  error = $state<string>()

  constructor() {
    $effect(() => {
      const query = this.query.trim()
      this.error = undefined
      if (query === '') {
        this.found = []
        return
      }
      this.busy = true
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
      this.found = (await session.call<{ items: User[] }>(path, { signal })).items
    } catch (error) {
      if (signal.aborted) return
      this.found = []
      this.error = explain(error)
    }
    this.busy = false
  }
}
