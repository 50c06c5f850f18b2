/** Who is in a group, by pages: the first ones are loaded again when something has changed, the others when asked for. */
import type { Participant } from '@natter/client'
import { explain } from '../../lib/problems'
import { readPage } from '../../lib/pages'

const PAGE = 100
/** Pages that a change loads again; who was shown beyond them is asked for again. */
const REFRESHED = 5

export class MemberList {
  items = $state.raw<readonly Participant[]>([])
  isComplete = $state(false)
  busy = $state(false)
  error = $state<string>()
  #cursor: string | null = null
  #pages = 1
  /** One after the other: an older answer does not undo a newer one. */
  #work: Promise<void> = Promise.resolve()
  #isWaiting = false
  readonly #stop = new AbortController()

  constructor(readonly room: string) {}

  /** Everything that is shown, as it is now. */
  refresh(): Promise<void> {
    // One that waits for the one before it sees this change as well.
    if (this.#isWaiting) return this.#work
    this.#isWaiting = true
    return this.#next(async () => {
      this.#isWaiting = false
      const pages = Math.min(this.#pages, REFRESHED)
      let [items, cursor]: [readonly Participant[], string | null] = [[], null]
      for (let page = 0; page < pages && (page === 0 || cursor !== null); page++) {
        const { items: more, nextCursor } = await this.#page(cursor)
        ;[items, cursor] = [items.concat(more), nextCursor]
      }
      this.#pages = pages
      this.#show(items, cursor)
    })
  }

  more(): Promise<void> {
    return this.#next(async () => {
      if (this.isComplete) return
      const { items, nextCursor } = await this.#page(this.#cursor)
      this.#pages += 1
      const known = new Set(this.items.map(({ userId }) => userId))
      this.#show(this.items.concat(items.filter(({ userId }) => !known.has(userId))), nextCursor)
    })
  }

  #page(cursor: string | null) {
    return readPage<Participant>(`/api/conversations/${this.room}/participants`, { cursor, limit: PAGE, signal: this.#stop.signal })
  }

  #show(items: readonly Participant[], cursor: string | null): void {
    this.items = items
    this.#cursor = cursor
    this.isComplete = cursor === null
  }

  #next(work: () => Promise<void>): Promise<void> {
    this.busy = true
    const mine = this.#work.then(async () => {
      try {
        await work()
        this.error = undefined
      } catch (error) {
        if (this.#stop.signal.aborted) return
        this.error = explain(error)
      }
      if (this.#work === mine) this.busy = false
    })
    this.#work = mine
    return mine
  }

  end(): void {
    this.#stop.abort()
  }
}
