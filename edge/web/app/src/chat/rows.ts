/** What the history of a room shows, row by row: messages in groups, days, what is unread, what is not known. */
import type { Held, Outgoing, Segment } from '@natter/client'

interface Grouping {
  /** The first and the last of one sender's messages in a row. */
  first: boolean
  last: boolean
}

export type Row =
  /** The conversation begins here. */
  | { kind: 'start'; key: string }
  /** Messages between two segments that are not held. */
  | { kind: 'seam'; key: string; after: number; before: number }
  | { kind: 'day'; key: string; at: string }
  | { kind: 'unread'; key: string }
  | ({ kind: 'message'; key: string; message: Held } & Grouping)
  | ({ kind: 'outgoing'; key: string; entry: Outgoing } & Grouping)
  /** Below everything: who is typing, and some air. */
  | { kind: 'end'; key: string }

/** Messages of one sender within this time are one group. */
const TOGETHER = 5 * 60_000

interface Options {
  me: string
  /** The divider stands before the first message of others after this seq. */
  unreadAfter: number | null
}

export function rows(segments: readonly Segment[], outbox: readonly Outgoing[], { me, unreadAfter }: Options): Row[] {
  const made: Row[] = []
  let day = ''
  let before: { sender: string; at: number; row: Extract<Row, Grouping> } | undefined
  let divided = false
  const add = (key: string, sender: string, time: string, isUnread: boolean, make: (grouping: Grouping) => Extract<Row, Grouping>) => {
    const at = new Date(time)
    const newDay = at.toDateString()
    if (newDay !== day) {
      day = newDay
      // Not named by its date: clocks differ, and one day may come twice.
      made.push({ kind: 'day', key: `day-${key}`, at: time })
      before = undefined
    }
    if (isUnread) {
      made.push({ kind: 'unread', key: 'unread' })
      before = undefined
    }
    const first = before?.sender !== sender || at.getTime() - before.at > TOGETHER
    if (!first && before) before.row.last = false
    const row = make({ first, last: true })
    made.push(row)
    before = { sender, at: at.getTime(), row }
  }
  segments.forEach((segment, index) => {
    const previous = segments[index - 1]
    if (index === 0 && segment.after === 0) made.push({ kind: 'start', key: 'start' })
    if (previous && previous.to < segment.after) {
      made.push({ kind: 'seam', key: `seam-${previous.to}`, after: previous.to, before: segment.after + 1 })
      before = undefined
    }
    for (const message of segment.messages) {
      const isUnread = unreadAfter !== null && message.seq > unreadAfter && message.senderId !== me && !message.deletedAt
      const key = `seq-${message.seq}`
      add(key, message.senderId, message.createdAt, isUnread && !divided, (grouping) => ({ kind: 'message', key, message, ...grouping }))
      divided ||= isUnread
    }
  })
  for (const entry of outbox) {
    const key = `out-${entry.clientId}`
    add(key, me, entry.at, false, (grouping) => ({ kind: 'outgoing', key, entry, ...grouping }))
  }
  made.push({ kind: 'end', key: 'end' })
  return made
}

/** Whether rows were only added in front: then what is seen has to stay where it is. */
export function grewInFront(before: readonly Row[], after: readonly Row[]): boolean {
  if (before.length === 0 || after.length <= before.length) return false
  const seqs = (list: readonly Row[]) => list.flatMap((row) => (row.kind === 'message' ? [row.message.seq] : []))
  const [oldSeqs, newSeqs] = [seqs(before), seqs(after)]
  return oldSeqs[0] !== undefined && newSeqs[0]! < oldSeqs[0] && oldSeqs.at(-1) === newSeqs.at(-1)
}

/** The message at a seq, if it is held. */
export function held(segments: readonly Segment[], seq: number): Held | undefined {
  const segment = segments.find(({ after, to }) => after < seq && seq <= to)
  return segment?.messages.find((message) => message.seq === seq)
}
