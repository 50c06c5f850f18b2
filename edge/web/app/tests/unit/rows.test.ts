import type { Held, Outgoing, Segment } from '@natter/client'
import { expect, test } from 'vitest'
import { grewInFront, rows, type Row } from '../../src/chat/rows'

const message = (seq: number, senderId: string, createdAt: string): Held =>
  ({ seq, asOf: seq, senderId, createdAt, id: `m${seq}`, conversationId: 'c', clientId: '1', content: `${seq}`, replyTo: null, editedAt: null, deletedAt: null, reactions: [] })
const segment = (after: number, ...messages: Held[]): Segment => ({ after, to: messages.at(-1)?.seq ?? after, messages })
const show = (made: readonly Row[]): string[] =>
  made.map((row) => ('first' in row ? `${row.key}${row.first ? ' first' : ''}${row.last ? ' last' : ''}` : row.kind))

const options = { me: 'me', unreadAfter: null }

test('messages of one sender within minutes are one group', () => {
  const made = rows(
    [segment(0, message(1, 'a', '2026-11-27T10:00:00Z'), message(2, 'a', '2026-11-27T10:01:00Z'), message(3, 'b', '2026-11-27T10:02:00Z'), message(4, 'b', '2026-11-27T10:20:00Z'))],
    [],
    options,
  )
  expect(show(made)).toEqual(['start', 'day', 'seq-1 first', 'seq-2 last', 'seq-3 first last', 'seq-4 first last', 'end'])
})

test('the divider stands before the first unread message of others', () => {
  const segments = [segment(3, message(4, 'a', '2026-11-27T10:00:00Z'), message(5, 'me', '2026-11-27T10:00:01Z'), message(6, 'a', '2026-11-27T10:00:02Z'))]
  expect(show(rows(segments, [], { me: 'me', unreadAfter: 4 }))).toEqual(['day', 'seq-4 first last', 'seq-5 first last', 'unread', 'seq-6 first last', 'end'])
})

test('what is not held is a seam', () => {
  const segments = [segment(0, message(1, 'a', '2026-11-27T10:00:00Z')), segment(8, message(9, 'a', '2026-11-27T10:00:01Z'))]
  expect(show(rows(segments, [], options))).toEqual(['start', 'day', 'seq-1 first last', 'seam', 'seq-9 first last', 'end'])
})

test('keys are unique, also where clocks go back and names repeat', () => {
  const segments = [segment(0, message(1, 'me', '2026-11-27T10:00:00Z'), message(2, 'me', '2026-11-25T10:00:00Z'), message(3, 'me', '2026-11-27T10:00:00Z'))]
  const outbox = [{ clientId: '1', at: '2026-11-26T10:00:00Z' }, { clientId: '2', at: '2026-11-28T10:00:00Z' }] as unknown as Outgoing[]
  const keys = rows(segments, outbox, options).map(({ key }) => key)
  expect(new Set(keys).size).toBe(keys.length)
})

test('a page in front is told from a message at the end', () => {
  const [one, two, three] = [1, 2, 3].map((seq) => message(seq, 'a', '2026-11-27T10:00:00Z'))
  const made = (...messages: Held[]) => rows([segment(0, ...messages)], [], options)
  expect(grewInFront(made(two!), made(one!, two!))).toBe(true)
  expect(grewInFront(made(one!), made(one!, two!))).toBe(false)
  expect(grewInFront(made(two!), made(one!, two!, three!))).toBe(false)
})
