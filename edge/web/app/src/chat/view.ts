/**
 * All that a row shows of a message, made in one go: rows come by the hundred while one scrolls, and one value to watch
 * takes a fraction of what twenty do.
 */
import type { Message } from '@natter/client'
import { isBig, summary, type Block } from '../lib/markup'
import { clock } from '../lib/time'
import type { IconName } from '../ui/Icon.svelte'
import { t } from '../words'
import type { Live } from './live.svelte'
import type { MessageRow } from './rows'

export interface View {
  sender: string
  name: string
  mine: boolean
  /** Why there is no text, if there is none. */
  gone: string
  isEdited: boolean
  isFailed: boolean
  isPending: boolean
  big: boolean
  replyTo: number | null
  reactions: Message['reactions']
  at: Date
  time: string
  delivery: { icon: IconName; label: string } | undefined
  /** What a screen reader says of the message in focus. */
  label: string
}

/** Null: it is gone. */
export function textOf(row: MessageRow, chat: Live): string | null {
  if (row.kind === 'outgoing') return row.entry.content
  return chat.hidden.has(row.message.id) ? null : row.message.content
}

interface Content {
  text: string | null
  blocks: readonly Block[] | null
}

/** `readers`: how many others have read up to a seq. */
export function view(row: MessageRow, { text, blocks }: Content, isGroup: boolean, chat: Live, readers: (seq: number) => number): View {
  const message = row.kind === 'message' ? row.message : undefined
  const entry = row.kind === 'outgoing' ? row.entry : undefined
  const sender = message?.senderId ?? chat.me
  const mine = sender === chat.me
  const name = chat.directory.name(sender) ?? '…'
  const at = new Date(row.at)
  const shown = {
    sender,
    name,
    mine,
    gone: !message?.unreadable ? t.messageDeleted : chat.directory.isErased(sender) ? t.messageErased : t.messageUnreadable,
    isEdited: message?.editedAt != null && text !== null,
    isFailed: entry?.status === 'failed',
    isPending: entry !== undefined && entry.status !== 'sent' && entry.status !== 'failed',
    big: text !== null && isBig(text),
    replyTo: text === null ? null : (message?.replyTo ?? entry?.replyTo ?? null),
    reactions: text === null ? [] : (message?.reactions ?? []),
    at,
    time: clock(at),
    delivery: mine && text !== null ? delivery(row, isGroup, readers) : undefined,
  }
  return { ...shown, label: label(shown, blocks) }
}

function delivery(row: MessageRow, isGroup: boolean, readers: (seq: number) => number): View['delivery'] {
  if (row.kind === 'outgoing') {
    if (row.entry.status === 'failed') return { icon: 'alert', label: t.notSent }
    if (row.entry.status !== 'sent') return { icon: 'clock', label: t.sending }
  }
  const count = row.kind === 'message' ? readers(row.message.seq) : 0
  if (count === 0) return { icon: 'check', label: t.sent }
  return { icon: 'checks', label: isGroup ? t.readBy({ count }) : t.read }
}

function label({ mine, name, gone, time, isEdited, delivery, reactions }: Omit<View, 'label'>, blocks: Content['blocks']): string {
  const state = [time, isEdited && t.edited, delivery?.label, ...reactions.map(({ emoji, count }) => `${emoji} ${count}`)]
  return t.messageLabel({ name: mine ? t.you : name, text: blocks === null ? gone : summary(blocks), state: state.filter(Boolean).join(', ') })
}
