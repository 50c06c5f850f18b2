import type { Held, Outgoing, Segment } from '@natter/client'
import { expect, test } from 'vitest'
import { rows, type Row, steps } from '../../src/chat/rows'

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
  expect(show(rows(segments, [], { me: 'me', unreadAfter: 4 }))).toEqual(['seam', 'day', 'seq-4 first last', 'own-1 first last', 'unread', 'seq-6 first last', 'end'])
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

test('where the first unread message is not held there is no divider', () => {
  const segments = [segment(0, message(1, 'a', '2026-11-27T10:00:00Z')), segment(8, message(9, 'a', '2026-11-27T10:00:01Z'))]
  expect(show(rows(segments, [], { me: 'me', unreadAfter: 4 }))).toEqual(['start', 'day', 'seq-1 first last', 'seam', 'seq-9 first last', 'end'])
})

test('a message keeps its row when it arrives, and a seam when it shrinks', () => {
  const entry = { clientId: 'x', at: '2026-11-27T10:00:00Z' } as unknown as Outgoing
  const mine = { ...message(3, 'me', '2026-11-27T10:00:00Z'), clientId: 'x' }
  expect(rows([segment(0)], [entry], options).map(({ key }) => key)).toContain('own-x')
  expect(rows([segment(0, mine)], [], options).map(({ key }) => key)).toContain('own-x')
  // Another device may use the same name.
  expect(rows([segment(0, mine, { ...mine, seq: 4 })], [], options).map(({ key }) => key)).toContain('seq-4')
  const [one, nine] = [segment(0, message(1, 'a', '2026-11-27T10:00:00Z')), segment(8, message(9, 'a', '2026-11-27T10:00:01Z'))]
  const keys = [[one, nine], [{ ...one, to: 4 }, nine], [one, { ...nine, after: 6 }]].map((segments) => rows(segments, [], options).find(({ kind }) => kind === 'seam')?.key)
  expect(new Set(keys).size).toBe(1)
})

test('rows that are the same stay the same objects', () => {
  const [one, two] = [message(1, 'a', '2026-11-27T10:00:00Z'), message(2, 'b', '2026-11-27T10:00:00Z')]
  const known = new Map<string, Row>()
  const before = rows([segment(0, one)], [], options, known)
  const after = rows([segment(0, one, two)], [], options, known)
  expect(after.slice(0, 3)).toEqual(before.slice(0, 3))
  expect(after.slice(0, 3).every((row, index) => row === before[index])).toBe(true)
})

const letters = new Map([...'abcdexyz'].map((key): [string, Row] => [key, { kind: 'unread', key }]))
const list = (...keys: string[]): Row[] => keys.map((key) => letters.get(key)!)
const shown = (made: ReturnType<typeof steps>) => made.steps.map(({ rows, shift }) => `${shift ? 'from the end' : 'from the beginning'}: ${rows.map(({ key }) => key).join('')}`)

test('what changes above and what changes below are two steps', () => {
  const before = list(...'bcd')
  expect(shown(steps(before, list(...'bcde'), ['c', 'd']))).toEqual(['from the beginning: bcde'])
  expect(shown(steps(before, list(...'abcd'), ['c', 'd']))).toEqual(['from the end: abcd'])
  // Older ones have come, and newer ones had to go: the length alone would say that nothing has changed.
  expect(shown(steps(before, list(...'abc'), ['c', 'd']))).toEqual(['from the end: abcd', 'from the beginning: abc'])
  expect(shown(steps(before, list(...'bxyczd'), ['c', 'd']))).toEqual(['from the end: bxycd', 'from the beginning: bxyczd'])
})

test('when nothing of what was seen is left, that is said', () => {
  expect(steps(list(...'abc'), list(...'xyz'), ['b', 'c']).isLost).toBe(true)
  expect(steps(list(...'abc'), list(...'cxyz'), ['b', 'c']).isLost).toBe(false)
  expect(steps([], list(...'abc'), []).isLost).toBe(false)
})
