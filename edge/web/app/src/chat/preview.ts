/**
 * Rooms as of before the socket was open, shown until the client has its own state of them. The client does not use the
 * preview: what it loads after the welcome replaces it, so that no event between the two can be missing.
 */
import { type Conversation, type ConversationState, type MessagePage, type State, unknownConversation } from '@natter/client'
import type { Preview } from '../early'

/** The state, with what the client does not have yet taken from the preview; the same object if that is nothing. */
export function withPreview(state: State, { rooms, room, page }: Preview): State {
  const { connection, list } = state
  if (connection.phase === 'stopped' && connection.reason !== 'notStarted') return state
  const conversations = new Map(state.conversations)
  if (!list.loaded) {
    for (const item of rooms) if (!conversations.get(item.id)?.info) conversations.set(item.id, { ...known(state, item.id), ...listed(item) })
  }
  if (room && page && isNeeded(state, room.id)) conversations.set(room.id, { ...known(state, room.id), ...listed(room), ...filled(page) })
  return sameRooms(conversations, state.conversations) ? state : { ...state, conversations }
}

const sameRooms = (a: State['conversations'], b: State['conversations']): boolean =>
  a.size === b.size && [...a].every(([id, room]) => b.get(id) === room)

const known = ({ conversations }: State, id: string): ConversationState => conversations.get(id) ?? unknownConversation(id)

/** Until the client has the newest page, or could not load it; not for a room that the user has left. */
function isNeeded({ conversations, loads, list }: State, id: string): boolean {
  const own = conversations.get(id)
  if (loads.get(`conversation:${id}`)?.status === 'failed' || (list.loaded && !own)) return false
  if (!own?.info || own.position === null) return true
  return [...loads.values()].some(({ what, status, attempts }) => what.kind === 'page' && what.conversationId === id && status !== 'failed' && attempts === 0) && isEmpty(own)
}

const isEmpty = ({ segments }: ConversationState): boolean => segments.every(({ messages }) => messages.length === 0)

function listed(item: Conversation): Partial<ConversationState> {
  const { type, name, role, createdAt, participantCount, participants = null } = item
  return {
    info: { type, name, role, createdAt, participantCount, participants },
    lastMessage: item.lastMessage,
    lastActivityAt: item.lastActivityAt,
    readSeq: item.readSeq,
    unread: { count: item.unreadCount, asOf: item.headSeq },
    reads: Object.fromEntries((participants ?? []).map(({ userId, readSeq }) => [userId, readSeq])),
    // What is new is known when the client has loaded the room.
    stale: true,
  }
}

function filled({ items, hasMore, headSeq }: MessagePage): Partial<ConversationState> {
  const first = items[0]?.seq
  const after = hasMore && first !== undefined ? first - 1 : 0
  return { position: headSeq, segments: [{ after, to: Math.max(headSeq, items.at(-1)?.seq ?? 0), messages: items.map((message) => ({ ...message, asOf: headSeq })) }] }
}
