/** Who is online, of the people in the list: joined rooms say it by themselves, the others are asked about. */
import { SvelteSet } from 'svelte/reactivity'
import { session } from '../lib/session.svelte'

const EVERY = 30_000
/** As many as one call takes. */
const MOST = 200

export class Online {
  readonly #users = new SvelteSet<string>()
  #wanted: readonly string[] = []
  readonly #timer = setInterval(() => void this.#refresh(), EVERY)
  readonly #stop = new AbortController()

  constructor() {
    // A tab that is not in front does not ask.
    document.addEventListener('visibilitychange', () => void this.#refresh(), { signal: this.#stop.signal })
  }

  has(user: string): boolean {
    return this.#users.has(user)
  }

  /** The people who are shown; asked about at once when there are others among them. */
  watch(users: readonly string[]): void {
    const added = users.some((user) => !this.#wanted.includes(user))
    this.#wanted = users.slice(0, MOST)
    if (added) void this.#refresh()
  }

  set(user: string, isOnline: boolean): void {
    if (isOnline) this.#users.add(user)
    else this.#users.delete(user)
  }

  async #refresh(): Promise<void> {
    if (this.#wanted.length === 0 || document.hidden) return
    try {
      const body = { userIds: this.#wanted }
      const path = '/api/presence/status/batch'
      const { items } = await session.call<{ items: { userId: string; status: string }[] }>(path, { method: 'POST', body })
      for (const { userId, status } of items) this.set(userId, status === 'online')
    } catch {
      // Shown as it was until the next time.
    }
  }

  end(): void {
    clearInterval(this.#timer)
    this.#stop.abort()
  }
}
