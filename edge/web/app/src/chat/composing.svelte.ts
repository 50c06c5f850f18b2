/** What is being written in a room: a new message, an answer to one, or a change of one. */
import type { Held } from '@natter/client'

export class Composing {
  replyTo = $state.raw<Held>()
  editing = $state.raw<Held>()
  /** Asks the field to take the focus. */
  wanted = $state(0)

  reply(message: Held): void {
    this.editing = undefined
    this.replyTo = message
    this.wanted += 1
  }

  edit(message: Held): void {
    this.replyTo = undefined
    this.editing = message
    this.wanted += 1
  }

  clear(): void {
    this.replyTo = undefined
    this.editing = undefined
  }
}
