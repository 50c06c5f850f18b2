/**
 * One message of the history takes part in the order of Tab; arrows, Home, End and pages move from there. The focus stays
 * in the history when what had it is gone: a button of a message that was deleted, or the message itself.
 */
import { tick } from 'svelte'
import type { Composing } from './composing.svelte'
import { frame, FRAMES, type Place } from './place.svelte'
import { isMessage, type MessageRow } from './rows'

interface Stop {
  row: MessageRow
  index: number
}

const keyAt = (target: EventTarget | null): string | undefined => (target as Element | null)?.closest<HTMLElement>('[data-row]')?.dataset['row']

export class Roving {
  #focused = $state<string>()
  /** Its place among the messages: the one that is there next takes over. */
  #order = 0
  #isInside = false
  readonly #stops = $derived.by(() => this.place.rows().flatMap((row, index): Stop[] => (isMessage(row) ? [{ row, index }] : [])))
  readonly #at = $derived(this.#stops.findIndex(({ row }) => row.key === this.#focused))
  // These two are wanted while one scrolls through thousands of rows: without the list of all stops.
  readonly #index = $derived.by(() => (this.#focused === undefined ? -1 : this.place.rows().findIndex((row) => isMessage(row) && row.key === this.#focused)))
  readonly stop = $derived.by(() => (this.place.rows()[this.#index] ?? this.place.rows().findLast(isMessage))?.key)
  /** Rows that exist even when they are not on the screen: the focus would be lost with them. */
  readonly kept = $derived(this.#index < 0 ? [] : [this.#index])

  constructor(
    readonly place: Place,
    readonly composing: Composing,
  ) {}

  entered(event: FocusEvent): void {
    this.#isInside = true
    // What is no message, as the button of a seam, may be gone with the next page: the message beside it takes over.
    const key = keyAt(event.target) ?? this.place.beside(event.target as Element)?.key
    if (key === undefined) return
    this.#focused = key
    this.#order = this.#at
  }

  /** Without another target the focused element is gone, or the window has lost the focus. */
  left({ relatedTarget, currentTarget }: FocusEvent): void {
    if (relatedTarget && !(currentTarget as Element).contains(relatedTarget as Node)) this.#isInside = false
  }

  /** A click beside everything leaves the history. */
  pressed({ target }: PointerEvent): void {
    if (keyAt(target) === undefined) this.#isInside = false
  }

  async keys(event: KeyboardEvent): Promise<void> {
    const at = this.#stops.findIndex(({ row }) => row.key === keyAt(event.target))
    if (at < 0 || event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return
    if (event.key === 'Escape') return void (this.composing.wanted += 1)
    const to = this.#next(event.key, at)
    if (to === undefined) return
    event.preventDefault()
    const stop = this.#stops[to]
    if (stop) await this.#go(stop.row.key)
    else if (to >= this.#stops.length) this.composing.wanted += 1
  }

  #next(key: string, at: number): number | undefined {
    const last = this.#stops.length - 1
    switch (key) {
      case 'ArrowUp':
        return at - 1
      case 'ArrowDown':
        return at + 1
      case 'Home':
        return 0
      case 'End':
        return last
      case 'PageUp':
        return Math.max(0, this.#page(at, -1))
      case 'PageDown':
        return Math.min(last, this.#page(at, 1))
      default:
        return undefined
    }
  }

  /** The message that is about a screen away, one at least. */
  #page(from: number, step: 1 | -1): number {
    const { list, scroller } = this.place
    const offset = (at: number) => list?.getItemOffset(this.#stops[at]!.index) ?? 0
    const screen = (scroller?.clientHeight ?? 0) * 0.85
    let at = from + step
    while (this.#stops[at + step] && Math.abs(offset(at + step) - offset(from)) <= screen) at += step
    return at
  }

  async #focus(key: string): Promise<void> {
    this.#focused = key
    await tick()
    if (this.kept[0] === undefined) return
    this.#order = this.#at
    // A row that has just been made is hidden until it is measured, and takes no focus before.
    for (let count = 0; count < FRAMES && this.#focused === key; count++) {
      const row = this.place.scroller?.querySelector<HTMLElement>(`[data-row="${CSS.escape(key)}"]`)
      row?.focus({ preventScroll: true })
      if (row && row === document.activeElement) break
      await frame()
    }
  }

  /** Whoever goes to a message sees it. */
  async #go(key: string): Promise<void> {
    await this.#focus(key)
    const index = this.kept[0]
    if (this.#focused === key && index !== undefined) await this.place.reveal(index)
  }

  /** After a change of the view, which stays where it is: the reader has gone nowhere. */
  async restore(): Promise<void> {
    await tick()
    if (!this.#isInside || !document.hasFocus() || document.activeElement !== document.body) return
    const stop = this.#stops[this.#at] ?? this.#stops[Math.min(this.#order, this.#stops.length - 1)]
    if (stop) await this.#focus(stop.row.key)
  }
}
