/** What the history of a room shows, row by row: messages in groups, days, what is unread, what is not held. */
import type { Held, Outgoing, Segment } from '@natter/client'

interface Grouping {
  /** The first and the last of one sender's messages in a row. */
  first: boolean
  last: boolean
}

export type Row =
  /** The conversation begins here. */
  | { kind: 'start'; key: string }
  /** Messages that are not held: between two segments, or (`after` 0) above the first one. */
  | { kind: 'seam'; key: string; after: number; before: number }
  | { kind: 'day'; key: string; at: number }
  | { kind: 'unread'; key: string }
  | ({ kind: 'message'; key: string; message: Held; at: number } & Grouping)
  | ({ kind: 'outgoing'; key: string; entry: Outgoing; at: number } & Grouping)
  /** Below everything: who is typing, and some air. */
  | { kind: 'end'; key: string }

export type MessageRow = Extract<Row, Grouping>

/** Messages of one sender within this time are one group. */
const TOGETHER = 5 * 60_000

interface Options {
  me: string
  /** The divider stands before the first message of others after this seq. */
  unreadAfter: number | null
}

export const isMessage = (row: Row | undefined): row is MessageRow => row?.kind === 'message' || row?.kind === 'outgoing'

/** Dates are slow to make, and a message keeps its own. */
const times = new WeakMap<Held | Outgoing, { at: number; day: string }>()

function timeOf(message: Held | Outgoing, text: string): { at: number; day: string } {
  let known = times.get(message)
  if (!known) {
    const date = new Date(text)
    times.set(message, (known = { at: date.getTime(), day: date.toDateString() }))
  }
  return known
}

/** `known` has the rows of before: those that are the same stay the same objects, so that their views are not made again. */
export function rows(segments: readonly Segment[], outbox: readonly Outgoing[], { me, unreadAfter }: Options, known?: ReadonlyMap<string, Row>): Row[] {
  const made: Row[] = []
  const keys = new Set<string>()
  let day = ''
  let before: { sender: string; at: number; row: MessageRow } | undefined
  let divided = unreadAfter === null
  const add = (row: MessageRow, sender: string, newDay: string, isUnread: boolean) => {
    const { at, key } = row
    keys.add(key)
    if (newDay !== day) {
      day = newDay
      // Not named by its date: clocks differ, and one day may come twice.
      made.push({ kind: 'day', key: `day-${key}`, at })
      before = undefined
    }
    if (isUnread) {
      made.push({ kind: 'unread', key: 'unread' })
      before = undefined
      divided = true
    }
    row.first = before?.sender !== sender || at - before.at > TOGETHER
    if (!row.first && before) before.row.last = false
    made.push(row)
    before = { sender, at, row }
  }
  segments.forEach((segment, index) => {
    const previous = segments[index - 1]
    // Named from the end: pages that are loaded into a seam move its ends, and it stays the same seam.
    const seam = `seam-${segments.length - index}`
    if (!previous) made.push(segment.after === 0 ? { kind: 'start', key: 'start' } : { kind: 'seam', key: seam, after: 0, before: segment.after + 1 })
    else if (previous.to < segment.after) {
      made.push({ kind: 'seam', key: seam, after: previous.to, before: segment.after + 1 })
      before = undefined
    }
    // Where messages after the read mark are not held it is not known which is the first one.
    const divides = unreadAfter !== null && segment.after <= unreadAfter
    for (const message of segment.messages) {
      const { at, day } = timeOf(message, message.createdAt)
      const isUnread = !divided && divides && message.seq > unreadAfter && message.senderId !== me && !message.deletedAt
      add({ kind: 'message', key: keyOf(message, me, keys), message, at, first: true, last: true }, message.senderId, day, isUnread)
    }
  })
  for (const entry of outbox) {
    const { at, day } = timeOf(entry, entry.at)
    const key = keys.has(own(entry.clientId)) ? `out-${entry.clientId}` : own(entry.clientId)
    add({ kind: 'outgoing', key, entry, at, first: true, last: true }, me, day, false)
  }
  made.push({ kind: 'end', key: 'end' })
  return known ? made.map((row) => kept(known.get(row.key), row)) : made
}

const own = (clientId: string): string => `own-${clientId}`

/** One's own message has the same name before and after it has arrived, unless another device has used it too. */
function keyOf({ seq, senderId, clientId }: Held, me: string, keys: ReadonlySet<string>): string {
  if (senderId !== me || clientId === null || keys.has(own(clientId))) return `seq-${seq}`
  return own(clientId)
}

function kept(before: Row | undefined, row: Row): Row {
  if (!before || before.kind !== row.kind) return row
  const names = Object.keys(row) as (keyof Row)[]
  return names.every((name) => before[name] === row[name]) ? before : row
}

/** One change of the list; with `shift` its rows are counted from the end. */
export interface Step {
  rows: readonly Row[]
  shift: boolean
}

/**
 * How the list gets from some rows to others while what is seen stays where it is. It knows the heights of rows by their
 * place, counted from the beginning or from the end: so what changes above the reader is one step, and what changes
 * below is another. `seen` are the keys of the rows on the screen; `isLost`: none of them is left.
 */
export function steps(before: readonly Row[], after: readonly Row[], seen: readonly string[]): { steps: Step[]; isLost: boolean } {
  const places = new Map(after.map(({ key }, index) => [key, index]))
  const anchor = seen.find((key) => places.has(key))
  const to = anchor === undefined ? -1 : places.get(anchor)!
  const from = anchor === undefined ? -1 : before.findIndex(({ key }) => key === anchor)
  const last: Step = { rows: after, shift: false }
  if (from === to || from < 0) return { steps: [last], isLost: anchor === undefined && seen.length > 0 }
  const above = after.slice(0, to)
  const isAbove = new Set(above.map(({ key }) => key))
  const first: Step = { rows: [...above, ...before.slice(from).filter(({ key }) => !isAbove.has(key))], shift: true }
  const isWhole = first.rows.length === after.length && first.rows.every((row, index) => row === after[index])
  return { steps: isWhole ? [{ ...last, shift: true }] : [first, last], isLost: false }
}

/** The message at a seq, if it is held. */
export function held(segments: readonly Segment[], seq: number): Held | undefined {
  const messages = covering(segments, seq)?.messages ?? []
  let [low, high] = [0, messages.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (messages[middle]!.seq < seq) low = middle + 1
    else high = middle
  }
  return messages[low]?.seq === seq ? messages[low] : undefined
}

/** The segment that has everything at a seq, message or not. */
export const covering = (segments: readonly Segment[], seq: number): Segment | undefined =>
  segments.find(({ after, to }) => after < seq && seq <= to)
