/** What a room is called and who it is with. */
import type { ConversationState, Message } from '@natter/client'
import { t } from '../words'
import { date } from '../lib/time'
import { plain } from '../lib/markup'
import type { Live } from './live.svelte'

export function peer(room: ConversationState, me: string): string | undefined {
  if (room.info?.type !== 'direct') return undefined
  return room.info.participants?.find(({ userId }) => userId !== me)?.userId
}

/** The same in every place and for every member, whoever comes and goes. */
export function title(room: ConversationState, live: Live): string {
  const info = room.info
  if (!info) return ''
  if (info.name !== null) return info.name
  if (info.type === 'group') return t.groupSince({ date: date(new Date(info.createdAt)) })
  const other = info.participants?.find(({ userId }) => userId !== live.me)
  return (other && live.directory.name(other.userId, other.displayName)) ?? t.unnamedRoom
}

/** A message in one line. */
export function preview(message: Pick<Message, 'content' | 'unreadable'>): string {
  if (message.unreadable) return t.messageUnreadable
  if (message.content === null) return t.messageDeleted
  return plain(message.content)
}
