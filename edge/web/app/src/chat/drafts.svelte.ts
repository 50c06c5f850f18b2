/** What was typed and not sent, for each room; kept until it is sent or removed. */
import { SvelteMap } from 'svelte/reactivity'

const PREFIX = 'natter.draft.'
/** Of rooms that were left long ago the oldest would fill the storage. */
const MOST = 100

class Drafts {
  readonly #texts = new SvelteMap<string, string>()

  constructor() {
    try {
      for (let at = 0; at < localStorage.length; at++) {
        const key = localStorage.key(at)
        if (key?.startsWith(PREFIX)) this.#texts.set(key.slice(PREFIX.length), localStorage.getItem(key) ?? '')
      }
    } catch {
      // They last as long as the page.
    }
  }

  of(room: string): string {
    return this.#texts.get(room) ?? ''
  }

  set(room: string, text: string): void {
    if (text === this.of(room)) return
    if (text.trim() === '') this.#texts.delete(room)
    else this.#texts.set(room, text)
    try {
      if (text.trim() === '') localStorage.removeItem(PREFIX + room)
      else if (this.#texts.size <= MOST) localStorage.setItem(PREFIX + room, text)
    } catch {
      // As above.
    }
  }

  /** At log-out. */
  wipe(): void {
    for (const room of [...this.#texts.keys()]) this.set(room, '')
  }
}

export const drafts = new Drafts()
