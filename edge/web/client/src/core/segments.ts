/**
 * What is held of a conversation's messages: segments, each complete between its ends, with seams between them. Only
 * the messages of a segment are contiguous history; what lies in a seam is not known, and is never shown as if it were
 * nothing.
 */

import type { Message } from "../wire/rest";

/** A message, and the seq up to which changes of it are part of it already. */
export interface Held extends Message {
  asOf: number;
}

/** Every message with `after < seq ≤ to`, ascending. `after` 0: from the conversation's first message on. */
export interface Segment {
  readonly after: number;
  readonly to: number;
  readonly messages: readonly Held[];
}

/** Index of the first message with a seq of at least this. */
export function indexOf(messages: readonly Held[], seq: number): number {
  let [low, high] = [0, messages.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((messages[middle] as Held).seq < seq) low = middle + 1;
    else high = middle;
  }
  return low;
}

export function find(segments: readonly Segment[], seq: number): Held | undefined {
  for (const { messages } of segments) {
    const held = messages[indexOf(messages, seq)];
    if (held?.seq === seq) return held;
  }
  return undefined;
}

/** The same segments with one message changed; the very same array if it is not held or did not change. */
export function change(segments: readonly Segment[], seq: number, how: (held: Held) => Held): readonly Segment[] {
  const at = segments.findIndex(({ messages }) => messages[indexOf(messages, seq)]?.seq === seq);
  const segment = segments[at];
  if (!segment) return segments;
  const index = indexOf(segment.messages, seq);
  const before = segment.messages[index] as Held;
  const after = how(before);
  if (after === before) return segments;
  return segments.with(at, { ...segment, messages: segment.messages.with(index, after) });
}

/** The segments with one more; those it touches become one with it. */
export function insert(segments: readonly Segment[], added: Segment): readonly Segment[] {
  let joined = added;
  const apart: Segment[] = [];
  for (const segment of segments) {
    if (segment.after <= joined.to && joined.after <= segment.to) joined = union(segment, joined);
    else apart.push(segment);
  }
  // A union may reach others that the added one alone did not.
  if (apart.length < segments.length && apart.some((s) => s.after <= joined.to && joined.after <= s.to)) {
    return insert(apart, joined);
  }
  const at = apart.findIndex((segment) => segment.after >= joined.to);
  return at < 0 ? [...apart, joined] : apart.toSpliced(at, 0, joined);
}

function union(a: Segment, b: Segment): Segment {
  const messages: Held[] = [];
  let [i, j] = [0, 0];
  while (i < a.messages.length || j < b.messages.length) {
    const [left, right] = [a.messages[i], b.messages[j]];
    if (left && right && left.seq === right.seq) {
      messages.push(right.asOf > left.asOf ? right : left);
      i += 1;
      j += 1;
    } else if (left && (!right || left.seq < right.seq)) {
      messages.push(left);
      i += 1;
    } else if (right) {
      messages.push(right);
      j += 1;
    }
  }
  return { after: Math.min(a.after, b.after), to: Math.max(a.to, b.to), messages };
}

/** One message at the end of the last segment, which is complete up to it then. */
export function append(segments: readonly Segment[], message: Held): readonly Segment[] {
  const last = segments.at(-1) as Segment;
  const index = indexOf(last.messages, message.seq);
  if (last.messages[index]?.seq === message.seq) return segments;
  const messages = last.messages.toSpliced(index, 0, message);
  return segments.with(-1, { ...last, to: Math.max(last.to, message.seq), messages });
}

/** The last segment is complete up to there: what came was no message. */
export function extend(segments: readonly Segment[], to: number): readonly Segment[] {
  const last = segments.at(-1) as Segment;
  return to <= last.to ? segments : segments.with(-1, { ...last, to });
}

/** At most this many messages, the newest; what is dropped leaves no seam inside. */
export function keepNewest(segments: readonly Segment[], most: number): readonly Segment[] {
  let left = most;
  const kept: Segment[] = [];
  for (const segment of segments.toReversed()) {
    if (left <= 0 && kept.length > 0) break;
    if (segment.messages.length <= left) {
      kept.unshift(segment);
    } else {
      const messages = segment.messages.slice(segment.messages.length - left);
      kept.unshift({ after: messages[0] ? messages[0].seq - 1 : segment.to, to: segment.to, messages });
    }
    left -= segment.messages.length;
  }
  return kept;
}

/**
 * At most this many messages, the oldest, for a reader who is far back. The newest `tail` of the last segment stay: it is
 * the live one, and a reader who goes to the end finds it there.
 */
export function keepOldest(segments: readonly Segment[], most: number, tail: number): readonly Segment[] {
  const [live] = keepNewest(segments.slice(-1), tail);
  if (!live) return segments;
  const kept: Segment[] = [];
  let left = most - live.messages.length;
  for (const segment of [...segments.slice(0, -1), below(segments.at(-1) as Segment, live)]) {
    if (left <= 0) break;
    if (segment.messages.length <= left) {
      kept.push(segment);
    } else {
      const messages = segment.messages.slice(0, left);
      kept.push({ after: segment.after, to: (messages.at(-1) as Held).seq, messages });
    }
    left -= segment.messages.length;
  }
  return insert(kept, live);
}

/** What a segment has before another one that is its end. */
const below = ({ after, messages }: Segment, end: Segment): Segment => ({
  after,
  to: end.after,
  messages: messages.slice(0, messages.length - end.messages.length),
});

export const count = (segments: readonly Segment[]): number =>
  segments.reduce((sum, { messages }) => sum + messages.length, 0);
