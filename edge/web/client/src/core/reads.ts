/** Read marks: one's own, on all devices, and those of others. */

import { afterError } from "../wire/codes";
import type { ErrorFrame, ReadReceipt } from "../wire/frames";
import * as limits from "./limits";
import { type ConversationState, isWelcomed, type ReadWish, type Request, type State } from "./state";
import type { Turn } from "./turn";
import { recounted } from "./unread";

/** The user has read up to here: shown at once, sent when it can be. */
export function read(turn: Turn, id: string, seq: number): void {
  const before = turn.conversation(id);
  if (!before || seq <= before.readSeq) return;
  const notBefore = before.wish?.notBefore ?? turn.now;
  const request = before.wish?.request ?? null;
  moved(turn, before, { readSeq: seq, wish: { seq, unread: false, notBefore, request } });
}

/** The message at `seq` and everything after it is unread again. */
export function markUnread(turn: Turn, id: string, seq: number): void {
  const before = turn.conversation(id);
  if (!before || seq > before.readSeq) return;
  const request = before.wish?.request ?? null;
  moved(turn, before, { readSeq: seq - 1, wish: { seq, unread: true, notBefore: turn.now, request } });
}

function moved(turn: Turn, before: ConversationState, changes: Partial<ConversationState>): void {
  const after = turn.keep(before.id, { ...changes, lowerSeq: null, markedAt: turn.state.inputs });
  const unread = recounted(after, turn.me);
  turn.update(before.id, unread ? { unread } : { stale: true });
}

/** Sends marks that wait; one of each conversation is under way at a time. */
export function pump(turn: Turn): void {
  if (!isWelcomed(turn.state) || turn.state.draining) return;
  for (const { id, wish } of turn.state.conversations.values()) {
    if (!wish || wish.request !== null || wish.notBefore > turn.now) continue;
    const { seq, unread } = wish;
    const request = turn.request({ kind: "read", conversationId: id, seq, unread }, (requestId) => ({
      type: "read",
      id: requestId,
      conversationId: id,
      seq,
      ...(unread ? { unread: true as const } : {}),
    }));
    turn.update(id, { wish: { ...wish, request, notBefore: turn.now + limits.READ_EVERY } });
  }
}

/**
 * The mark in an answer of HTTP. One below what is held was marked as unread on another device while this one had no
 * connection, or the answer is from before a message of the user was stored: the next one decides.
 */
export function answered(before: ConversationState | undefined, seq: number, isOlder: boolean): Pick<ConversationState, "readSeq" | "lowerSeq"> {
  const isTaken = !before || seq >= before.readSeq || (!isOlder && before.lowerSeq === seq);
  return isTaken ? { readSeq: seq, lowerSeq: null } : { readSeq: before.readSeq, lowerSeq: isOlder ? null : seq };
}

type ReadRequest = Extract<Request, { kind: "read" }>;

/** The conversation, if this answers the mark of it that is under way. */
function answeredFor(turn: Turn, id: number, { conversationId }: ReadRequest): (ConversationState & { wish: ReadWish }) | null {
  const conversation = turn.conversation(conversationId);
  return conversation?.wish?.request === id ? { ...conversation, wish: conversation.wish } : null;
}

export function acked(turn: Turn, id: number, request: ReadRequest, ack: { seq: number; unreadCount: number }): void {
  const before = answeredFor(turn, id, request);
  if (!before) return;
  const { wish } = before;
  if (wish.seq !== request.seq || wish.unread !== request.unread) {
    // The user went on meanwhile: that is sent next.
    turn.update(before.id, { wish: { ...wish, request: null } });
    return;
  }
  const after = turn.keep(before.id, { wish: null, readSeq: ack.seq, markedAt: turn.state.inputs });
  const unread = recounted(after, turn.me) ?? { count: ack.unreadCount, asOf: after.position ?? 0 };
  turn.update(before.id, { unread, stale: false });
}

export function refused(turn: Turn, id: number, request: ReadRequest, error: ErrorFrame): void {
  const before = answeredFor(turn, id, request);
  if (!before) return;
  if (afterError(error.code) === "fix") {
    // What is shown was a wish: the server decides.
    turn.keep(before.id, { wish: null, stale: true });
    return;
  }
  const notBefore = turn.now + (error.retryAfterMs ?? turn.backoff(0));
  turn.update(before.id, { wish: { ...before.wish, request: null, notBefore } });
}

export function receipt(turn: Turn, { conversationId, userId, seq, version }: ReadReceipt): void {
  const before = turn.conversation(conversationId);
  if (!before) return;
  if (userId !== turn.me) {
    if (seq <= (before.reads[userId] ?? 0)) return;
    turn.update(conversationId, { reads: { ...before.reads, [userId]: seq } });
    return;
  }
  const known = before.readVersion;
  const given = version ?? 0;
  if (given < known || (given === known && seq <= before.readSeq)) return;
  // What this device is about to report still counts here.
  const ahead = before.wish !== null && !before.wish.unread && before.readSeq > seq;
  moved(turn, before, { readVersion: given, ...(ahead ? {} : { readSeq: seq }) });
}

export function times({ conversations }: State): number[] {
  const wishes = [...conversations.values()].map(({ wish }) => wish);
  return wishes.map((wish) => (wish && wish.request === null ? wish.notBefore : Infinity));
}
