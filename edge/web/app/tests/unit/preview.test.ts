import { type Conversation, type ConversationState, initial, type Load, type MessagePage, type State, unknownConversation } from '@natter/client'
import { expect, test } from 'vitest'
import { withPreview } from '../../src/chat/preview'

const conversation = (id: string): Conversation => ({
  id, type: 'group', name: id, role: 'member', createdAt: '2026-11-27T10:00:00Z', headSeq: 9, readSeq: 4, unreadCount: 5,
  lastActivityAt: '2026-11-27T10:00:09Z', lastMessage: null, participantCount: 2,
})
const page = { items: [{ seq: 8 }, { seq: 9 }], hasMore: true, headSeq: 9 } as unknown as MessagePage
const preview = { user: 'me', rooms: [conversation('a'), conversation('b')], room: conversation('a'), page }

const connection = { phase: 'connecting', deadline: 0 } as const
const list = { cursor: null, complete: true, loaded: true }
const state = (change: Partial<State>): State => ({ ...initial(), connection, ...change })
const load = (status: Load['status'], attempts = 0): State['loads'] => {
  const what = { kind: 'page', conversationId: 'a', before: null, after: null } as const
  return new Map([['page:a', { key: 'page:a', what, status, attempts, notBefore: 0, code: null, startedAt: 0 }]])
}
const room = (change: Partial<ConversationState>): State['conversations'] => new Map([['a', { ...unknownConversation('a'), ...change }]])
const info = { type: 'group', name: 'a', role: 'member', createdAt: '', participantCount: 2, participants: null } as const
const seqs = (shown: State) => shown.conversations.get('a')?.segments.flatMap(({ messages }) => messages.map(({ seq }) => seq))

test('until the client knows a room, that of the preview is shown', () => {
  const shown = withPreview(state({}), preview)
  expect([...shown.conversations.keys()]).toEqual(['a', 'b'])
  expect(seqs(shown)).toEqual([8, 9])
  expect(shown.conversations.get('a')).toMatchObject({ position: 9, readSeq: 4, unread: { count: 5, asOf: 9 }, stale: true })
  // There is more above, and nothing of it is held.
  expect(shown.conversations.get('a')?.segments).toMatchObject([{ after: 7, to: 9 }])
  expect(shown.conversations.get('b')?.segments).toEqual([])
  // What is not of rooms is that of the client.
  expect({ ...shown, conversations: null }).toEqual({ ...state({}), conversations: null })
})

test('the messages stay until the newest page is there', () => {
  const known = { info, position: 9, segments: [{ after: 9, to: 9, messages: [] }] }
  for (const status of ['wanted', 'running'] as const) {
    expect(seqs(withPreview(state({ list, loads: load(status), conversations: room(known) }), preview)), status).toEqual([8, 9])
  }
  const held = { ...known, segments: [{ after: 6, to: 9, messages: [{ seq: 7 }, { seq: 9 }] }] } as unknown as Partial<ConversationState>
  const filled = state({ list, conversations: room(held) })
  expect(withPreview(filled, preview)).toBe(filled)
})

test('a page that cannot be loaded is not hidden by the preview', () => {
  const known = { info, position: 9, segments: [{ after: 9, to: 9, messages: [] }] }
  for (const loads of [load('failed'), load('wanted', 1)]) {
    const failed = state({ list, loads, conversations: room(known) })
    expect(withPreview(failed, preview)).toBe(failed)
  }
})

test('a room that the client does not list is gone', () => {
  const left = state({ list })
  expect(withPreview(left, preview)).toBe(left)
})

test('a client that has stopped shows no preview', () => {
  for (const reason of ['signedOut', 'sessionEnded'] as const) {
    const stopped = state({ connection: { phase: 'stopped', reason } as unknown as State['connection'] })
    expect(withPreview(stopped, preview)).toBe(stopped)
  }
})

test('what the client knows of a room is not replaced', () => {
  const known = state({ conversations: new Map([['b', { ...unknownConversation('b'), info: { ...info, name: 'renamed' } }]]) })
  expect(withPreview(known, preview).conversations.get('b')).toBe(known.conversations.get('b'))
})
