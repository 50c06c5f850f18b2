/** What was written and not sent, for each room: it outlives the view and the page, until it is sent or removed. */
import type { Held } from '@natter/client'
import { SvelteMap } from 'svelte/reactivity'

/** The message that is answered or edited, as far as it is shown while one writes. */
export type Target = Pick<Held, 'seq' | 'senderId' | 'content'>

export interface Draft {
  readonly text: string
  readonly replyTo?: Target | undefined
  /** A change of a message that was begun, beside the draft of a new one. */
  readonly edit?: { readonly target: Target; readonly text: string } | undefined
}

const PREFIX = 'natter.draft.'
/** Of rooms that were left long ago the oldest would fill the storage. */
const MOST = 100
const NOTHING: Draft = { text: '' }

class Drafts {
  readonly #drafts = new SvelteMap<string, Draft>()

  constructor() {
    try {
      for (let at = 0; at < localStorage.length; at++) {
        const key = localStorage.key(at)
        if (key?.startsWith(PREFIX)) this.#drafts.set(key.slice(PREFIX.length), parse(localStorage.getItem(key) ?? ''))
      }
    } catch {
      // They last as long as the page.
    }
  }

  of(room: string): Draft {
    return this.#drafts.get(room) ?? NOTHING
  }

  set(room: string, change: Partial<Draft>): void {
    const draft = { ...this.of(room), ...change }
    const isEmpty = draft.text.trim() === '' && !draft.replyTo && !draft.edit
    if (isEmpty) this.#drafts.delete(room)
    else this.#drafts.set(room, draft)
    try {
      if (isEmpty) localStorage.removeItem(PREFIX + room)
      else if (this.#drafts.size <= MOST) localStorage.setItem(PREFIX + room, JSON.stringify(draft))
    } catch {
      // As above.
    }
  }

  /** At log-out. */
  wipe(): void {
    for (const room of [...this.#drafts.keys()]) this.set(room, { text: '', replyTo: undefined, edit: undefined })
  }
}

/** Storage is open to whatever runs in this origin: what is no draft is none. */
function parse(stored: string): Draft {
  try {
    const draft = JSON.parse(stored) as Draft
    const isTarget = (target: Target | undefined) => target === undefined || Number.isSafeInteger(target.seq)
    const { text, replyTo, edit } = draft
    const isWhole = typeof text === 'string' && isTarget(replyTo) && isTarget(edit?.target) && typeof (edit?.text ?? '') === 'string'
    return isWhole ? draft : NOTHING
  } catch {
    return NOTHING
  }
}

export const drafts = new Drafts()
