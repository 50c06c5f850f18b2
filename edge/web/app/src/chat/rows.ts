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

/** What was made of a message: a history has thousands, and each page that is loaded passes all of them again. */
interface Made {
  at: number
  day: string
  row?: MessageRow
}
const madeOf = new WeakMap<Held | Outgoing, Made>()

function made(source: Held | Outgoing): Made {
  let known = madeOf.get(source)
  if (!known) {
    const date = new Date(isHeld(source) ? source.createdAt : source.at)
    madeOf.set(source, (known = { at: date.getTime(), day: date.toDateString() }))
  }
  return known
}

const isHeld = (source: Held | Outgoing): source is Held => 'createdAt' in source

/** The row of before, if it is the same. */
function rowOf(source: Held | Outgoing, key: string, first: boolean, last: boolean): MessageRow {
  const known = made(source)
  const { row, at } = known
  if (row?.key === key && row.first === first && row.last === last) return row
  return (known.row = isHeld(source) ? { kind: 'message', key, message: source, at, first, last } : { kind: 'outgoing', key, entry: source, at, first, last })
}

/**
 * Rows that are the same as before stay the same objects, so that their views are not made again: a message knows its row,
 * and `known` has the others of the call before, and then those of this one.
 */
export function rows(segments: readonly Segment[], outbox: readonly Outgoing[], { me, unreadAfter }: Options, known = new Map<string, Row>()): Row[] {
  const list: Row[] = []
  const others: Row[] = []
  const other = (row: Row) => {
    others.push(kept(known.get(row.key), row))
    list.push(others.at(-1)!)
  }
  // Of one's own messages: two may have the same name.
  const keys = new Set<string>()
  let day = ''
  let divided = unreadAfter === null
  /** The message before; whether it is the last of its group is known with the next one. */
  const before = { source: undefined as Held | Outgoing | undefined, sender: '', key: '', first: true, index: 0 }
  const settle = (last: boolean) => {
    if (before.source) list[before.index] = rowOf(before.source, before.key, before.first, last)
    before.source = undefined
  }
  const add = (source: Held | Outgoing, key: string, sender: string, isUnread: boolean) => {
    const time = made(source)
    const first = !before.source || isUnread || time.day !== day || before.sender !== sender || time.at - made(before.source).at > TOGETHER
    settle(first)
    if (time.day !== day) {
      day = time.day
      // Not named by its date: clocks differ, and one day may come twice.
      other({ kind: 'day', key: `day-${key}`, at: time.at })
    }
    if (isUnread) {
      other({ kind: 'unread', key: 'unread' })
      divided = true
    }
    Object.assign(before, { source, sender, key, first, index: list.length })
    // Its place: the row is made with the next one.
    list.length += 1
  }
  segments.forEach((segment, index) => {
    const previous = segments[index - 1]
    // Named from the end: pages that are loaded into a seam move its ends, and it stays the same seam.
    const seam = `seam-${segments.length - index}`
    if (!previous) other(segment.after === 0 ? { kind: 'start', key: 'start' } : { kind: 'seam', key: seam, after: 0, before: segment.after + 1 })
    else if (previous.to < segment.after) {
      settle(true)
      other({ kind: 'seam', key: seam, after: previous.to, before: segment.after + 1 })
    }
    // Where messages after the read mark are not held it is not known which is the first one.
    const divides = unreadAfter !== null && segment.after <= unreadAfter
    for (const message of segment.messages) {
      const isUnread = !divided && divides && message.seq > unreadAfter && message.senderId !== me && !message.deletedAt
      add(message, keyOf(message, me, keys), message.senderId, isUnread)
    }
  })
  for (const entry of outbox) add(entry, keys.has(own(entry.clientId)) ? `out-${entry.clientId}` : own(entry.clientId), me, false)
  settle(true)
  other({ kind: 'end', key: 'end' })
  known.clear()
  for (const row of others) known.set(row.key, row)
  return list
}

const own = (clientId: string): string => `own-${clientId}`

/** One's own message has the same name before and after it has arrived, unless another device has used it too. */
function keyOf(message: Held, me: string, keys: Set<string>): string {
  const { seq, senderId, clientId } = message
  if (senderId !== me || clientId === null) return madeOf.get(message)?.row?.key ?? `seq-${seq}`
  const name = own(clientId)
  if (keys.has(name)) return `seq-${seq}`
  keys.add(name)
  return name
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
 * below is another. `seen` are the keys of rows on the screen: the first of them that is left stays where it is;
 * `isLost`: none of them is left.
 */
export function steps(before: readonly Row[], after: readonly Row[], seen: readonly string[]): { steps: Step[]; isLost: boolean } {
  const sought = new Set(seen)
  const places = new Map<string, number>()
  after.forEach(({ key }, index) => {
    if (sought.has(key)) places.set(key, index)
  })
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
