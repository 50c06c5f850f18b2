/**
 * Where a reader is in the history: at its end, held at a row, or anywhere. Whoever is at the end or at a row stays there,
 * whatever is measured, loaded or arrives meanwhile, until they move by themselves.
 */
import { tick } from 'svelte'
import type { VirtualizerHandle } from 'virtua/svelte'
import { isMessage, type MessageRow, type Row } from './rows'

export type Align = 'start' | 'center' | 'end'
type Hold = { kind: 'end' } | { kind: 'row'; key: string; align: Align } | { kind: 'free' }

/** Whoever comes down to here is at the end. */
const NEAR = 80
/** As many rows at the end as a screen has, or about as many. */
const LAST = 20
/** A movement of the hand goes on for about so long. */
const MOVING = 500
/** Above a row that is held at the top: the date floats there. */
const AIR = 56
/** A row that is not at rest after so many frames is where it can be. */
export const FRAMES = 60
/** At rest is what has not moved for so many frames: rows out of sight are made and measured some frames later, and grow. */
const STILL = 6

/** A tab that is not in front draws no frames. */
const UNSEEN = 1_000

/** Settles when a frame is drawn: in a tab that is not in front, when it comes there. */
export const frame = () => new Promise<void>((resolve) => requestAnimationFrame(() => resolve()))

/** Whether a frame was drawn; otherwise settles after a while. */
const isDrawn = () =>
  new Promise<boolean>((resolve) => {
    void frame().then(() => resolve(true))
    setTimeout(() => resolve(false), UNSEEN)
  })

export class Place {
  list = $state.raw<VirtualizerHandle>()
  scroller = $state.raw<HTMLElement>()
  /** More than a bit above the end. */
  isFar = $state(false)
  /** Where the reader has gone last. */
  isGoingUp = true
  #hold = $state.raw<Hold>({ kind: 'end' })
  #offset = 0
  #height = 0
  /** Where this has scrolled to: what it has done itself is no movement of the reader. */
  #own = -1
  /** When the reader's hand was last seen on it. */
  #touchedAt = Number.NEGATIVE_INFINITY

  constructor(readonly rows: () => readonly Row[]) {}

  get atEnd(): boolean {
    return this.#hold.kind === 'end'
  }

  touched(): void {
    this.#touchedAt = performance.now()
  }

  async toEnd(): Promise<void> {
    this.#hold = { kind: 'end' }
    this.isGoingUp = true
    await tick()
    this.stay()
  }

  /** Settles when the row is where it was asked for. At once: a list that moves for a while would fight the reader. */
  async toRow(key: string, align: Align): Promise<void> {
    const hold: Hold = { kind: 'row', key, align }
    this.#hold = hold
    this.isGoingUp = false
    // The key or the click that asked for it is no movement.
    this.#touchedAt = Number.NEGATIVE_INFINITY
    await tick()
    let isAtRest = false
    void this.#rest(hold).then(() => (isAtRest = true))
    // Where nothing is drawn nothing moves before the tab comes to the front; what waits for the row goes on meanwhile.
    while (!isAtRest && (await isDrawn()));
  }

  async #rest(hold: Hold): Promise<void> {
    let [still, before] = [0, '']
    for (let count = 0; count < FRAMES && still < STILL && this.#hold === hold; count++) {
      this.stay()
      await frame()
      const now = `${this.scroller?.scrollTop} ${this.scroller?.scrollHeight}`
      still = now === before ? still + 1 : 0
      before = now
    }
    // There is nothing below: whoever sees the end is at the end.
    if (this.#hold === hold && this.#left() <= 2) this.#hold = { kind: 'end' }
  }

  /** By no more than what is needed to see the whole row. */
  async reveal(index: number): Promise<void> {
    const [top, bottom] = [this.#top(index), this.#bottom(index)]
    const row = this.rows()[index]
    if (!this.scroller || !row) return
    const { scrollTop, clientHeight } = this.scroller
    if (top < scrollTop + AIR) await this.toRow(row.key, 'start')
    else if (bottom > scrollTop + clientHeight) await this.toRow(row.key, 'end')
  }

  stay = (): void => {
    const { scroller } = this
    if (!scroller || !this.list) return
    // A hand may have moved it just now, and that event is still to come.
    if (performance.now() - this.#touchedAt < MOVING) this.scrolled()
    const hold = this.#hold
    if (hold.kind === 'free') return
    let to = scroller.scrollHeight
    if (hold.kind === 'row') {
      const index = this.rows().findIndex(({ key }) => key === hold.key)
      if (index < 0) return
      const [top, bottom] = [this.#top(index), this.#bottom(index)]
      const height = scroller.clientHeight
      // The beginning of what is higher than the window is what one reads first.
      const isTall = bottom - top > height - AIR
      if (isTall || hold.align === 'start') to = top - AIR
      else to = hold.align === 'end' ? bottom - height : (top + bottom - height) / 2
    }
    scroller.scrollTop = to
    this.#own = scroller.scrollTop
  }

  scrolled(): void {
    const { scroller } = this
    if (!scroller) return
    // Of the element itself: the list learns of a movement later.
    const { scrollTop: offset, scrollHeight: height } = scroller
    const left = this.#left()
    // A list that has measured its rows has another height than before, and moves them by the difference.
    const isByHand = performance.now() - this.#touchedAt < MOVING || height === this.#height
    const isByReader = isByHand && Math.abs(offset - this.#own) > 1
    const { kind } = this.#hold
    if (kind === 'free') {
      if (left <= 2 || (offset > this.#offset && left < NEAR)) this.#hold = { kind: 'end' }
    } else if (isByReader && (kind === 'row' || offset < this.#offset)) {
      // Up by as little as a pixel is a reader who leaves.
      this.#hold = { kind: left <= 2 ? 'end' : 'free' }
    }
    if (isByReader && offset !== this.#offset) this.isGoingUp = offset < this.#offset
    this.isFar = left > NEAR
    this.#offset = offset
    this.#height = height
  }

  /**
   * The rows on the screen, from one to the other. None before the list knows the height of the screen: it would wait for
   * an event of the scrolling that rows above make, and where nothing has been drawn nothing scrolls.
   */
  get seen(): { first: number; last: number } {
    const { scroller, list } = this
    if (!scroller || !list?.getViewportSize() || this.rows().length === 0) return { first: 0, last: -1 }
    const { scrollTop, clientHeight } = scroller
    return { first: list.findItemIndex(scrollTop), last: list.findItemIndex(scrollTop + clientHeight - 8) }
  }

  /**
   * The messages on the screen, by how well they hold it while rows come and go: one that is cut off at the top comes last,
   * because what is loaded behind it would push the rest away. At the end they are known without a layout.
   */
  get anchors(): MessageRow[] {
    const rows = this.rows()
    if (this.atEnd && this.list?.getViewportSize()) return rows.slice(-LAST).filter(isMessage)
    const { first, last } = this.seen
    if (last < first) return []
    const whole = this.#isCut(first) ? first + 1 : first
    return [...rows.slice(whole, last + 1), ...rows.slice(first, whole)].filter(isMessage)
  }

  /** The message before a part of the history that is none, unless it is cut off or above the screen: then the one behind. */
  beside(part: Element): MessageRow | undefined {
    const { scroller, list } = this
    if (!scroller || !list) return undefined
    const rows = this.rows()
    const at = list.findItemIndex(part.getBoundingClientRect().top - scroller.getBoundingClientRect().top + scroller.scrollTop)
    const before = rows.slice(0, at).findLast(isMessage)
    if (before && !this.#isCut(rows.lastIndexOf(before))) return before
    return rows.slice(at).find(isMessage) ?? before
  }

  /** How far a row is from the screen, in pixels: negative above it, 0 on it. */
  distance(index: number): number {
    if (!this.scroller) return 0
    const { scrollTop, clientHeight } = this.scroller
    return Math.min(0, this.#bottom(index) - scrollTop) + Math.max(0, this.#top(index) - scrollTop - clientHeight)
  }

  #left(): number {
    const { scrollHeight = 0, clientHeight = 0, scrollTop = 0 } = this.scroller ?? {}
    return scrollHeight - clientHeight - scrollTop
  }

  /** Whether a row begins above the screen. */
  #isCut(index: number): boolean {
    return this.#top(index) < (this.scroller?.scrollTop ?? 0)
  }

  #top(index: number): number {
    return this.list?.getItemOffset(index) ?? 0
  }

  #bottom(index: number): number {
    return this.#top(index) + (this.list?.getItemSize(index) ?? 0)
  }
}
