/** Whether the history moves under its reader: nothing that is not read is made meanwhile, and the date floats above it. */

/** What is at rest for so long, in ms, was not only slowed down. */
const SETTLED = 150
/** Who stands still for so long, in ms, reads, and nothing lies over it. */
const READING = 1_500

export class Rest {
  isSettled = $state(false)
  isMoving = $state(false)
  #movedAt = 0
  #timer: ReturnType<typeof setTimeout> | undefined

  /** Called for each event of a scroll: one timer waits for all of them. */
  moved(): void {
    this.#movedAt = performance.now()
    this.isMoving = true
    this.isSettled = false
    this.#timer ??= setTimeout(this.#look, SETTLED)
  }

  end(): void {
    clearTimeout(this.#timer)
  }

  #look = (): void => {
    const rested = performance.now() - this.#movedAt
    this.isSettled = rested >= SETTLED
    this.isMoving = rested < READING
    const next = this.isSettled ? READING : SETTLED
    this.#timer = this.isMoving ? setTimeout(this.#look, next - rested) : undefined
  }
}
