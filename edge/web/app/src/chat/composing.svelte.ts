/**
 * What is being written in a room: a new message, an answer to one, or a change of one. Nothing that was typed is lost,
 * whatever becomes of it: it is sent, or still here with the reason.
 */
import type { Held } from '@natter/client'
import { Problem } from '../lib/api'
import { space, type Space } from '../lib/length'
import { explain } from '../lib/problems'
import { t } from '../words'
import { drafts, type Target } from './drafts.svelte'
import { type Live, problem } from './live.svelte'

const CONTENT_BYTES = 8 * 1024

interface Edit {
  target: Target
  text: string
}

interface Refusal {
  reason: string
  /** By the client's clock: another attempt is refused before; 0: none was named. */
  until: number
}

const all = new WeakMap<Live, Map<string, Composing>>()

export class Composing {
  text = $state('')
  replyTo = $state.raw<Target>()
  editing = $state.raw<Target>()
  /** Asks the field to take the focus. */
  wanted = $state(0)
  /** How many messages were sent from here. */
  sent = $state(0)
  /** Why what is in the field was not taken. */
  refusal = $state.raw<Refusal>()
  /** A change that was refused after the next message was begun. */
  unsaved = $state.raw<Edit & { reason: string }>()

  private constructor(
    readonly live: Live,
    readonly room: string,
  ) {
    const { text, replyTo, edit } = drafts.of(room)
    this.replyTo = replyTo
    this.editing = edit?.target
    this.text = edit?.text ?? text
  }

  /** One for each room, as long as the session: an answer that is late finds it where the user has gone on. */
  static of(live: Live, room: string): Composing {
    const known = all.get(live) ?? new Map<string, Composing>()
    all.set(live, known)
    const composing = known.get(room) ?? new Composing(live, room)
    known.set(room, composing)
    return composing
  }

  /** What fits, of the text as it is sent. */
  get space(): Space {
    return space(this.text.trim(), this.live.state.limits?.contentBytes ?? CONTENT_BYTES)
  }

  get target(): Target | undefined {
    return this.editing ?? this.replyTo
  }

  reply(message: Held): void {
    this.#leaveEdit()
    this.replyTo = aim(message)
    drafts.set(this.room, { replyTo: this.replyTo })
    this.wanted += 1
  }

  edit(message: Held): void {
    if (this.editing?.seq !== message.seq) this.#openEdit({ target: aim(message), text: message.content ?? '' })
    this.wanted += 1
  }

  /** Leaves the edit, or else the answer; what is written of a message stays. */
  clear(): void {
    if (this.editing) return this.#leaveEdit()
    this.replyTo = undefined
    drafts.set(this.room, { replyTo: undefined })
  }

  /** The text in the field is another one. */
  changed(): void {
    this.refusal = this.refusal && this.refusal.until > this.live.client.now ? this.refusal : undefined
    this.#keep()
    if (!this.editing) this.typing(this.text.trim() !== '')
  }

  typing(on: boolean): void {
    void this.live.client.typing(this.room, on).catch(() => undefined)
  }

  async submit(): Promise<void> {
    const content = this.text.trim()
    if (content === '' || this.space.over > 0 || (this.refusal && this.refusal.until > this.live.client.now)) return
    this.refusal = undefined
    await (this.editing ? this.#save(this.editing, content) : this.#send(content))
  }

  /** The refused change comes back into the field. */
  resume(): void {
    if (this.unsaved) this.#openEdit(this.unsaved, { reason: this.unsaved.reason, until: 0 })
    this.wanted += 1
  }

  forget(): void {
    this.unsaved = undefined
    drafts.set(this.room, { edit: undefined })
  }

  async #send(content: string): Promise<void> {
    const { replyTo, text } = this
    this.text = ''
    this.replyTo = undefined
    this.sent += 1
    let refusal: Refusal | undefined
    try {
      await this.live.client.send(this.room, content, replyTo?.seq ?? null)
    } catch (error) {
      refusal = this.#refused(error, { outbox_full: t.outboxFull })
    }
    // Until now the draft was what survives the end of the page; perhaps there is another one already.
    const stored = drafts.of(this.room)
    const since = stored.text === text && this.text !== text ? '' : stored.text
    if (!refusal) return drafts.set(this.room, { text: since, replyTo: this.replyTo })
    const draft = since === '' ? content : `${content}\n${since}`
    drafts.set(this.room, { text: draft, replyTo: this.replyTo ?? replyTo })
    if (this.editing) return
    this.text = draft
    this.replyTo ??= replyTo
    this.refusal = refusal
  }

  async #save(target: Target, content: string): Promise<void> {
    if (content === target.content) return this.#leaveEdit()
    const edit = { target, text: content }
    const before = this.#backToDraft()
    drafts.set(this.room, { edit })
    try {
      await this.live.client.edit(this.room, target.seq, content)
      if (drafts.of(this.room).edit === edit) drafts.set(this.room, { edit: undefined })
    } catch (error) {
      const refusal = this.#refused(error, { conflict: t.editOfDeleted, not_found: t.editOfDeleted })
      const isUntouched = !this.editing && this.text === before
      if (isUntouched) this.#openEdit(edit, refusal)
      else this.unsaved = { ...edit, reason: refusal.reason }
    }
  }

  #openEdit({ target, text }: Edit, refusal?: Refusal): void {
    this.unsaved = undefined
    this.editing = target
    this.text = text
    this.refusal = refusal
    this.#keep()
  }

  #leaveEdit(): void {
    if (!this.editing) return
    this.#backToDraft()
    drafts.set(this.room, { edit: undefined })
  }

  #backToDraft(): string {
    this.editing = undefined
    this.refusal = undefined
    this.text = drafts.of(this.room).text
    return this.text
  }

  #keep(): void {
    const { editing: target, text, replyTo } = this
    drafts.set(this.room, target ? { edit: { target, text } } : { text, replyTo })
  }

  #refused(error: unknown, own: Readonly<Record<string, string>> = {}): Refusal {
    const meant = problem(error)
    const isEarly = meant instanceof Problem && meant.code === 'rate_limited'
    return { reason: explain(meant, own), until: isEarly ? this.live.client.now + (meant.retryAfter ?? 1000) : 0 }
  }
}

const aim = ({ seq, senderId, content }: Held): Target => ({ seq, senderId, content })
