/** What can be done with a message, by whom. */
import type { ConversationState, Held } from '@natter/client'
import { explain } from '../lib/problems'
import { session } from '../lib/session.svelte'
import { toasts } from '../lib/toasts.svelte'
import type { MenuItem } from '../ui/menu'
import { t } from '../words'
import type { Composing } from './composing.svelte'
import { problem, type Live } from './live.svelte'

export class Actions {
  constructor(
    readonly live: Live,
    readonly room: ConversationState,
    readonly message: Held,
    readonly composing: Composing,
    /** Gives the focus to the message. */
    readonly focus: () => void,
  ) {}

  get mine(): boolean {
    return this.message.senderId === this.live.me
  }

  get canDelete(): boolean {
    return this.mine || (this.room.info?.type === 'group' && this.room.info.role !== 'member')
  }

  reply(): void {
    this.composing.reply(this.message)
  }

  edit(): void {
    if (this.mine && !this.live.hidden.has(this.message.id)) this.composing.edit(this.message)
  }

  remove(): void {
    if (!this.canDelete || this.live.hidden.has(this.message.id)) return
    const { live, room, message } = this
    live.hidden.add(message.id)
    toasts.add(t.messageDeleted, {
      action: {
        label: t.undo,
        run: () => {
          live.hidden.delete(message.id)
          this.focus()
        },
      },
      // It is deleted once this cannot be undone any more.
      ended: () => {
        // Not by the socket, which ends with the page.
        const options = { method: 'DELETE', keepalive: true }
        const deleted = session.call<void>(`/api/conversations/${room.id}/messages/${message.seq}`, options)
        // Where it was deleted it stays hidden: the answer may come before the event that takes its text away.
        return this.#report(deleted.catch((refused: unknown) => {
          live.hidden.delete(message.id)
          throw refused
        }))
      },
    })
  }

  markUnread(): void {
    void this.#report(this.live.client.markUnread(this.room.id, this.message.seq))
  }

  async copyText(): Promise<void> {
    await navigator.clipboard.writeText(this.message.content ?? '')
    toasts.add(t.copied)
  }

  async copyLink(): Promise<void> {
    await navigator.clipboard.writeText(`${location.origin}/c/${this.room.id}/${this.message.seq}`)
    toasts.add(t.copied)
  }

  items(): MenuItem[] {
    const items: (MenuItem | false)[] = [
      { icon: 'reply', label: t.reply, run: () => this.reply() },
      this.mine && { icon: 'edit', label: t.edit, run: () => this.edit() },
      { icon: 'copy', label: t.copyText, run: () => void this.copyText() },
      { icon: 'link', label: t.copyLink, run: () => void this.copyLink() },
      !this.mine && { icon: 'eye', label: t.markUnread, run: () => this.markUnread() },
      this.canDelete && { icon: 'bin', label: t.delete, run: () => this.remove(), danger: true },
    ]
    return items.filter((item) => item !== false)
  }

  react(emoji: string, on: boolean): void {
    void this.#report(this.live.client.react(this.room.id, this.message.seq, emoji, on), on ? { conflict: t.tooManyReactions } : {})
  }

  /** `own`: what a code means for this. */
  #report(work: Promise<void>, own: Record<string, string> = {}): Promise<void> {
    return work.catch((error: unknown) => toasts.add(explain(problem(error), own), { tone: 'bad' }))
  }
}
