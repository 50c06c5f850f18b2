/**
 * Fills the copies that can be read offline, also of rooms that were not opened here: first a page of each of the newest
 * rooms, later the rest. Page after page, slowly, by the one tab that has the connection.
 */
import { timeline } from '@natter/client'
import type { Live } from './live.svelte'

/** As many as the client keeps (client/src/core/limits.ts). */
const ROOMS = 30
/** How deep, after how long a wait, and how long between two pages: others share the server. Milliseconds. */
const PASSES = [
  { messages: 1, wait: 500, pause: 250 },
  { messages: 200, wait: 60_000, pause: 1_000 },
] as const

export class Filling {
  #timer: ReturnType<typeof setTimeout> | undefined
  #pass = 0
  /** The page that was asked for last, of each room that was looked at. */
  readonly #asked = new Map<string, number>()

  constructor(readonly chat: Live) {}

  /** Begins, unless it is under way: when what is shown is there, and whenever something was loaded. */
  run(): void {
    // Whoever saves data reads what was opened.
    const { connection } = navigator as { connection?: { saveData?: boolean } }
    if (this.#timer !== undefined || connection?.saveData) return
    this.#pass = 0
    this.#after(PASSES[0].wait)
  }

  #after(wait: number): void {
    this.#timer = setTimeout(() => this.#step(), wait)
  }

  #step(): void {
    const { client, state } = this.chat
    const pass = PASSES[this.#pass]
    this.#timer = undefined
    if (!pass || state.connection.phase !== 'live') return
    // What a view waits for comes first.
    if (!client.leads) return this.#after(PASSES[1].wait)
    const isBusy = [...state.loads.values()].some(({ status }) => status !== 'failed')
    if (isBusy || this.#ask(pass.messages)) return this.#after(pass.pause)
    this.#pass += 1
    this.#after(PASSES[this.#pass]?.wait ?? 0)
  }

  /** Asks for one page more; whether there was one to ask for. */
  #ask(messages: number): boolean {
    const { client, state, rooms, directory } = this.chat
    for (const { id } of rooms.slice(0, ROOMS)) {
      const { items, before } = timeline(state, id)
      for (const item of items) {
        if (item.kind === 'message' && !directory.people.has(item.message.senderId)) directory.name(item.message.senderId)
      }
      // A page that brought nothing is not asked for again.
      if (before === null || items.length >= messages || this.#asked.get(id) === before) continue
      this.#asked.set(id, before)
      void client.loadOlder(id, before).catch(() => undefined)
      return true
    }
    return false
  }

  end(): void {
    clearTimeout(this.#timer)
  }
}
