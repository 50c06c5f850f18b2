/** Where a room opens: at the message of a link, at the first unread one, or at its end; what that needs is loaded. */
import type { ConversationState, State } from '@natter/client'
import type { Live } from './live.svelte'
import { loadOf } from './pages'
import { covering, held, type Row } from './rows'

export type Target = { at: 'end' | 'unread' | 'missing' } | { at: 'message'; seq: number }

export class Opening {
  /** The divider stands after this seq. It stays where it was when the room was opened, whatever is read meanwhile. */
  unreadAfter = $state<number | null>(null)
  /** There is something to see, though not at its last place yet: a copy, until the server has said what is new. */
  isShown = $state(false)
  isDone = $state(false)
  #seq: number | undefined
  #asked: number | undefined
  #isDivided = false

  constructor(
    readonly live: Live,
    readonly room: () => ConversationState,
    readonly rows: () => readonly Row[],
  ) {}

  /** At a message, or at what is unread. */
  begin(seq: number | undefined): void {
    this.#seq = seq
    this.#asked = undefined
    this.isDone = false
  }

  /** Nothing: that is not known yet. */
  target(): Target | undefined {
    const [room, state] = [this.room(), this.live.state]
    if (room.segments.length === 0) return undefined
    const isLive = state.connection.phase === 'live'
    if (isLive && room.stale) return undefined
    if (this.#seq === undefined || !this.#isDivided) this.unreadAfter = room.unread.count > 0 ? room.readSeq : null
    if (this.live.isPreview(room.id)) return this.#preview()
    const target = this.#seq === undefined ? this.#unread(this.unreadAfter) : this.#message(this.#seq)
    if (target && (isLive || target.at === 'message')) this.isDone = this.#isDivided = true
    // What cannot be loaded now is no reason to show nothing.
    return target ?? (isAway(state) ? { at: 'end' } : undefined)
  }

  /** The best place of those that are there: where it opens is decided when the client has the room. */
  #preview(): Target {
    if (this.#seq !== undefined && held(this.room().segments, this.#seq)) return { at: 'message', seq: this.#seq }
    return { at: this.rows().some(({ kind }) => kind === 'unread') ? 'unread' : 'end' }
  }

  #message(seq: number): Target | undefined {
    const { segments } = this.room()
    if (held(segments, seq)) return { at: 'message', seq }
    if (covering(segments, seq)) return { at: 'missing' }
    return this.#isRefused(seq) ? { at: 'missing' } : undefined
  }

  #unread(after: number | null): Target | undefined {
    if (after === null) return { at: 'end' }
    if (this.rows().some(({ kind }) => kind === 'unread')) return { at: 'unread' }
    const isHeld = this.room().segments.some((segment) => segment.after <= after && after < segment.to)
    return isHeld || this.#isRefused(after) ? { at: 'end' } : undefined
  }

  /** Asks for what is around it, once. */
  #isRefused(seq: number): boolean {
    const { id } = this.room()
    const pages = [{ before: seq + 1, after: null }, { before: null, after: seq }]
    if (this.#asked === seq) return pages.some((page) => loadOf(this.live.state, id, page) === 'failed')
    this.#asked = seq
    void this.live.client.loadAround(id, seq).catch(() => undefined)
    return false
  }
}

/** There is no connection, and none is being made. */
const isAway = ({ connection }: State): boolean => connection.phase === 'waiting' || connection.phase === 'stopped'
