/** Short notes that are no answer to a form: something was done and can be undone, or something failed elsewhere. */
export interface Toast {
  id: number
  text: string
  tone: 'plain' | 'bad'
  action?: { label: string; run: () => void }
  /** It is gone, and its action was not chosen. */
  ended?: () => void | Promise<unknown>
}

/** What has to be read, or decided on, stays longer; all stay while the pointer or the focus is on them. */
const SHOWN = 6_000
const SHOWN_LONG = 12_000
/** More at once take the place of what they are about. */
const MOST = 3

class Toasts {
  items = $state.raw<readonly Toast[]>([])
  /** The one that was added last, for those who hear them. */
  newest = $state.raw<Toast>()
  readonly #timers = new Map<number, ReturnType<typeof setTimeout>>()
  #isHeld = false
  #next = 1

  constructor() {
    // Whoever leaves does not undo any more.
    addEventListener('pagehide', () => void this.settle())
  }

  add(text: string, { tone = 'plain', ...more }: Partial<Pick<Toast, 'tone' | 'action' | 'ended'>> = {}): void {
    const toast = { id: this.#next++, text, tone, ...more }
    // The same words again are one note that stays longer.
    if (!more.action && !more.ended) for (const { id, ...known } of this.items) if (known.text === text && !known.action && !known.ended) this.#take(id)
    for (const { id } of this.items.slice(0, 1 - MOST)) this.remove(id)
    this.items = [...this.items, toast]
    this.newest = toast
    this.#start(toast)
  }

  remove(id: number): void {
    void this.#take(id)?.ended?.()
  }

  act(id: number): void {
    this.#take(id)?.action?.run()
  }

  /** All at once, before the session or the page ends. */
  async settle(): Promise<void> {
    await Promise.allSettled(this.items.map(({ id }) => this.#take(id)?.ended?.()))
  }

  /** What belonged to a session that has ended: nothing of it can be done any more. */
  drop(): void {
    for (const { id } of this.items) this.#take(id)
    this.newest = undefined
  }

  /** They stay, until they are let go. */
  hold(isHeld: boolean): void {
    if (isHeld === this.#isHeld) return
    this.#isHeld = isHeld
    for (const timer of this.#timers.values()) clearTimeout(timer)
    this.#timers.clear()
    for (const toast of this.items) this.#start(toast)
  }

  #start({ id, tone, action }: Toast): void {
    if (this.#isHeld) return
    this.#timers.set(id, setTimeout(() => this.remove(id), action || tone === 'bad' ? SHOWN_LONG : SHOWN))
  }

  #take(id: number): Toast | undefined {
    const toast = this.items.find((item) => item.id === id)
    clearTimeout(this.#timers.get(id))
    this.#timers.delete(id)
    this.items = this.items.filter((item) => item !== toast)
    return toast
  }
}

export const toasts = new Toasts()
