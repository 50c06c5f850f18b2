/** Who is online, and who types: at most once, and gone with the socket. Only for conversations that were joined. */

import { afterError } from "../wire/codes";
import type { ErrorFrame } from "../wire/frames";
import * as limits from "./limits";
import { isWelcomed, type Presence, type State } from "./state";
import type { Turn } from "./turn";

/** Joins what is open, again after each reconnect. */
export function pump(turn: Turn): void {
  if (!isWelcomed(turn.state) || turn.state.draining) return;
  let joined = 0;
  for (const conversation of turn.state.conversations.values()) if (conversation.joined !== "no") joined += 1;
  for (const { id, open, joined: state, joinNotBefore } of turn.state.conversations.values()) {
    if (!open || state !== "no" || joinNotBefore > turn.now || joined >= limits.JOINS) continue;
    joined += 1;
    turn.request({ kind: "join", conversationId: id }, (requestId) => ({ type: "join", id: requestId, conversationId: id }));
    turn.update(id, { joined: "asked" });
  }
}

/** Asked for again after the wait; what is refused for good is not asked for again on this socket. */
export function refused(turn: Turn, id: string, { code, retryAfterMs }: ErrorFrame): void {
  if (!turn.conversation(id)) return;
  const joinNotBefore = afterError(code) === "fix" ? Infinity : turn.now + (retryAfterMs ?? turn.backoff(0));
  turn.update(id, { joined: "no", joinNotBefore });
}

export function joined(turn: Turn, id: string, online: readonly string[]): void {
  turn.update(id, { joined: "yes" });
  for (const userId of online) {
    // A change that came meanwhile has a version and is newer.
    if (!turn.state.presence.has(userId)) set(turn, userId, { status: "online", lastSeenAt: null, version: 0 });
  }
}

export function leave(turn: Turn, id: string): void {
  if (turn.conversation(id)?.joined === "no") return;
  if (isWelcomed(turn.state)) {
    turn.request({ kind: "other" }, (requestId) => ({ type: "leave", id: requestId, conversationId: id }));
  }
  turn.update(id, { joined: "no", typing: {} });
}

export function set(turn: Turn, userId: string, presence: Presence): void {
  const known = turn.state.presence.get(userId);
  if (known && known.version > presence.version) return;
  turn.map("presence").set(userId, presence);
}

export function typing(turn: Turn, id: string, userId: string, isTyping: boolean): void {
  const before = turn.conversation(id);
  if (!before) return;
  const { [userId]: _, ...others } = before.typing;
  turn.update(id, { typing: isTyping ? { ...others, [userId]: turn.now + limits.TYPING_EXPIRES } : others });
}

/** Reports typing, not more often than it is forwarded. */
export function type(turn: Turn, id: string, isTyping: boolean): void {
  const before = turn.conversation(id);
  if (before?.joined !== "yes" || turn.state.connection.phase !== "live") return;
  const { typedAt } = before;
  if (isTyping ? typedAt !== null && turn.now < typedAt + limits.TYPING_EVERY : typedAt === null) return;
  turn.send({ type: "typing", conversationId: id, isTyping });
  turn.update(id, { typedAt: isTyping ? turn.now : null });
}

export function expire(turn: Turn): void {
  for (const { id, typing } of turn.state.conversations.values()) {
    const still = Object.entries(typing).filter(([, until]) => until > turn.now);
    if (still.length < Object.keys(typing).length) turn.update(id, { typing: Object.fromEntries(still) });
  }
}

export function times({ conversations }: State): number[] {
  const times: number[] = [];
  for (const { typing, open, joined, joinNotBefore } of conversations.values()) {
    if (open && joined === "no") times.push(joinNotBefore);
    times.push(...Object.values(typing));
  }
  return times;
}
