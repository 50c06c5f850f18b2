/** Whom the user has blocked, as read since the connection was made. */
import { readPage } from '../lib/pages'
import { explain } from '../lib/problems'
import { session, type User } from '../lib/session.svelte'

const PAGE = 100

export class Blocked {
  users = $state.raw<readonly User[]>([])
  /** Nothing is known before the first page. */
  isLoaded = $state(false)
  isComplete = $state(false)
  busy = $state(false)
  error = $state<string>()
  #cursor: string | null = null
  #isOutdated = false
  #page: Promise<void> | undefined
  readonly #stop = new AbortController()

  has(id: string): boolean {
    return this.users.some((user) => user.id === id)
  }

  /** One more page; whoever asks while it is on its way waits for it. */
  more(): Promise<void> {
    if (this.isComplete) return Promise.resolve()
    this.#page ??= this.#read().finally(() => (this.#page = undefined))
    return this.#page
  }

  async #read(): Promise<void> {
    this.busy = true
    this.error = undefined
    try {
      const { items, nextCursor } = await readPage<User>('/api/blocks', { cursor: this.#cursor, limit: PAGE, signal: this.#stop.signal })
      const users = this.#isOutdated ? [] : this.users
      this.users = [...users, ...items.filter(({ id }) => !users.some((user) => user.id === id))]
      this.#isOutdated = false
      this.#cursor = nextCursor
      this.isComplete = nextCursor === null
      this.isLoaded = true
    } catch (error) {
      if (!this.#stop.signal.aborted) this.error = explain(error)
    }
    this.busy = false
  }

  /** Another device may have blocked or unblocked someone: the next page is the first one, and replaces what is known. */
  outdated(): void {
    this.#cursor = null
    this.isComplete = false
    this.#isOutdated = true
  }

  /** As far as it takes to say whether this one is blocked. */
  async find(id: string): Promise<void> {
    do await this.more()
    while (!this.has(id) && !this.isComplete && this.error === undefined && !this.#stop.signal.aborted)
  }

  async block(user: User): Promise<void> {
    await session.call(`/api/blocks/${user.id}`, { method: 'PUT' })
    if (!this.has(user.id)) this.users = [...this.users, user]
  }

  async unblock(id: string): Promise<void> {
    await session.call(`/api/blocks/${id}`, { method: 'DELETE' })
    this.users = this.users.filter((user) => user.id !== id)
  }

  end(): void {
    this.#stop.abort()
  }
}
