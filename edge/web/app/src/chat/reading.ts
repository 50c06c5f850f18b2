/** What is on the screen of a window that is looked at has been read. */
import type { ConversationState } from '@natter/client'
import type { Live } from './live.svelte'
import type { Opening } from './opening.svelte'
import type { Place } from './place.svelte'

export class Reading {
  /** What was marked as unread stays so while it is looked at, until the reader asks for the newest, or writes. */
  #isPaused = false

  constructor(
    readonly live: Live,
    readonly room: () => ConversationState,
    readonly place: Place,
    readonly opening: Opening,
  ) {}

  /** The reader has marked something as unread: the divider goes there. */
  marked(readSeq: number): void {
    this.#isPaused = true
    this.opening.unreadAfter = readSeq
  }

  goOn(): void {
    this.#isPaused = false
    this.look()
  }

  readonly look = (): void => {
    const { place, opening } = this
    const room = this.room()
    if (this.live.isPreview(room.id)) return
    if (this.#isPaused || !opening.isShown || !opening.isDone || document.hidden || !document.hasFocus()) return
    const to = place.atEnd ? Math.max(room.segments.at(-1)?.messages.at(-1)?.seq ?? 0, room.position ?? 0) : this.#lastSeen()
    if (to > room.readSeq) void this.live.client.read(room.id, to).catch(() => undefined)
  }

  #lastSeen(): number {
    const rows = this.place.rows()
    for (let index = this.place.seen.last; index >= 0; index--) {
      const row = rows[index]
      if (row?.kind === 'message') return row.message.seq
    }
    return 0
  }
}
