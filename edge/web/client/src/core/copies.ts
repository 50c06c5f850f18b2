/** Copies of the most active conversations in storage: readable offline, and where a resume begins after a reload. */

import type { Copy, Meta } from "./io";
import * as limits from "./limits";
import { keepNewest } from "./segments";
import type { ConversationState, State } from "./state";
import type { Turn } from "./turn";

export function restore(turn: Turn, meta: Meta | null, copies: readonly Copy[]): void {
  const { state } = turn;
  if (meta) {
    state.deviceId = meta.deviceId;
    state.userId = meta.userId;
    state.epoch = meta.epoch;
    state.limits = meta.limits;
  }
  for (const { wish, ...copy } of copies) {
    turn.update(copy.id, { ...copy, wish: wish && { ...wish, notBefore: 0, request: null }, stale: false, isSaved: true });
  }
}

/** Writes what has waited long enough. */
export function pump(turn: Turn): void {
  const due = [...turn.state.conversations.values()].filter(({ saveAt }) => saveAt !== null && saveAt <= turn.now);
  if (due.length === 0) return;
  const kept = new Set(newest(turn.state).map(({ id }) => id));
  for (const conversation of due) {
    const isKept = kept.has(conversation.id);
    turn.update(conversation.id, { saveAt: null, isSaved: conversation.isSaved || isKept });
    if (isKept) turn.emit({ type: "saveCopy", copy: copyOf(conversation) });
  }
  for (const { id, isSaved } of turn.state.conversations.values()) {
    if (!isSaved || kept.has(id)) continue;
    turn.update(id, { isSaved: false });
    turn.emit({ type: "forgetCopy", conversationId: id });
  }
}

function newest({ conversations }: State): ConversationState[] {
  const known = [...conversations.values()].filter(({ info, position }) => info !== null && position !== null);
  known.sort((a, b) => (a.lastActivityAt < b.lastActivityAt ? 1 : -1));
  return known.slice(0, limits.STORED_CONVERSATIONS);
}

function copyOf(conversation: ConversationState): Copy {
  const { id, info, position, lastMessage, lastActivityAt, readSeq, readVersion, unread, wish } = conversation;
  // Only the live segment: whatever is apart from it is loaded again.
  const segments = keepNewest(conversation.segments.slice(-1), limits.STORED_MESSAGES);
  const mark = wish && { seq: wish.seq, unread: wish.unread };
  return { id, info, position, segments, lastMessage, lastActivityAt, readSeq, readVersion, unread, wish: mark };
}

export const times = ({ conversations }: State): number[] =>
  [...conversations.values()].map(({ saveAt }) => saveAt ?? Infinity);
