/**
 * How fast this machine is meanwhile. What a page needs of a processor is compared with a piece of work that never changes:
 * a processor that is shared with others may be half as fast as a minute before, and a figure alone says nothing then.
 */

/** What the piece of work takes on a processor that has nothing else to do, in ms: 8.5 on the machine of the first figures. */
const REFERENCE = 8.5
const EVERY = 250

/** As a page does: numbers, strings, objects that live on for a moment, and a map. */
function piece(): void {
  for (let turn = 0; turn < 3; turn++) {
    const rows = new Map<number, { index: number; text: string }>()
    let x = 1
    for (let index = 0; index < 60_000; index++) {
      x ^= x << 13
      x ^= x >>> 17
      x ^= x << 5
      rows.set(x & 4_095, { index, text: `row ${x & 1_023}` })
    }
  }
}

// Until it is compiled.
for (let turn = 0; turn < 20; turn++) piece()

export class Machine {
  readonly #took: number[] = []
  readonly #timer = setInterval(() => this.#sample(), EVERY)

  /** From here on. */
  constructor() {
    this.#sample()
  }

  /** Until here: how many times longer than the reference it took, of twenty samples all but the longest; 1 at least. */
  slowness(): number {
    clearInterval(this.#timer)
    this.#sample()
    const sorted = this.#took.toSorted((a, b) => a - b)
    return Math.max(1, sorted[Math.ceil(sorted.length * 0.95) - 1]! / REFERENCE)
  }

  #sample(): void {
    const before = process.cpuUsage()
    piece()
    const { user, system } = process.cpuUsage(before)
    this.#took.push((user + system) / 1_000)
  }
}
