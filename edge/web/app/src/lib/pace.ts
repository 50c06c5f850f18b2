/**
 * Does something for all who ask for it within a while, once: the last one is never lost. Never while it is asked for: a
 * key must not wait for what others have written. In a page that is not in front, where timers may wait for a minute, each
 * is done at once.
 */
export class Pace {
  #doneAt = Number.NEGATIVE_INFINITY
  #timer: ReturnType<typeof setTimeout> | undefined

  /** `every` in milliseconds. */
  constructor(
    readonly run: () => void,
    readonly every: number,
  ) {}

  ask(): void {
    if (document.hidden) this.#do()
    else this.#timer ??= setTimeout(() => this.#do(), this.#doneAt + this.every - performance.now())
  }

  end(): void {
    clearTimeout(this.#timer)
  }

  #do(): void {
    this.end()
    this.#timer = undefined
    this.#doneAt = performance.now()
    this.run()
  }
}
