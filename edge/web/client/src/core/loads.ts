/**
 * What is loaded over HTTP: the list, single conversations, pages of messages. Only while a socket is welcomed, so that
 * every answer is newer than the moment from which on every event arrives; what was on its way when the socket was lost
 * is asked for again.
 */

import { afterError } from "../wire/codes";
import type { Conversation, Inbox, MessagePage, Page } from "../wire/rest";
import * as behind from "./behind";
import { boundedPages, gap } from "./events";
import type { Input, LoadBody } from "./io";
import * as limits from "./limits";
import { changed, held } from "./messages";
import { settle } from "./outbox";
import { answered } from "./reads";
import { insert, type Segment } from "./segments";
import { type ConversationState, isWelcomed, type Load, type LoadWhat, type State } from "./state";
import type { Turn } from "./turn";
import { adopted, recounted } from "./unread";

/** Messages that an open conversation has at least, if there are as many. */
const FILL = 20;

const keyOf = (what: LoadWhat): string => {
  switch (what.kind) {
    case "list":
      return "list";
    case "inbox":
      return "inbox";
    case "conversation":
      return `conversation:${what.conversationId}`;
    case "page":
      return `page:${what.conversationId}:${what.before ?? ""}:${what.after ?? ""}`;
  }
};

export function want(turn: Turn, what: LoadWhat, notBefore = 0): void {
  const key = keyOf(what);
  const known = turn.state.loads.get(key);
  if (known && known.status !== "failed") return;
  turn.map("loads").set(key, { key, what, status: "wanted", attempts: 0, notBefore, code: null, startedAt: 0 });
}

/** After a welcome: everything that was on its way belongs to the socket before. */
export function restart(turn: Turn): void {
  const loads = turn.map("loads");
  for (const [key, load] of loads) loads.set(key, { ...load, status: "wanted", notBefore: 0 });
  loads.delete("list");
  loads.delete("inbox");
  want(turn, { kind: "list", cursor: null, page: 1 });
  // Read marks are no events: those that other devices moved meanwhile are in no resume.
  if (turn.state.conversations.size > 0) want(turn, { kind: "inbox", cursor: null });
}

/** Wants what views need, and starts what may be started. */
export function pump(turn: Turn): void {
  if (!isWelcomed(turn.state)) return;
  for (const conversation of turn.state.conversations.values()) {
    if (conversation.open) fill(turn, conversation);
  }
  refreshOne(turn);
  let running = 0;
  for (const { status } of turn.state.loads.values()) if (status === "running") running += 1;
  for (const [key, load] of turn.state.loads) {
    if (running >= limits.LOADS_AT_ONCE) return;
    if (load.status !== "wanted" || load.notBefore > turn.now) continue;
    running += 1;
    turn.map("loads").set(key, { ...load, status: "running", startedAt: turn.state.inputs });
    turn.emit({ type: "load", key, load: turn.state.inputs, what: load.what });
  }
}

function fill(turn: Turn, { id, segments, position, info }: ConversationState): void {
  if (!info?.participants && !turn.state.loads.has(`conversation:${id}`)) {
    want(turn, { kind: "conversation", conversationId: id });
  }
  const live = segments.at(-1);
  if (position === null || !live || live.after === 0 || live.messages.length >= FILL) return;
  const what = { kind: "page", conversationId: id, before: live.after + 1, after: null } as const;
  if (!turn.state.loads.has(keyOf(what))) want(turn, what);
}

/** Conversations whose copy may be wrong, one at a time: after a long absence there may be many. */
function refreshOne(turn: Turn): void {
  for (const load of turn.state.loads.values()) {
    if (load.what.kind !== "page" && load.status !== "failed") return;
  }
  for (const { id, stale } of turn.state.conversations.values()) {
    if (stale && !turn.state.loads.has(`conversation:${id}`)) {
      return want(turn, { kind: "conversation", conversationId: id });
    }
  }
}

type Failed = Extract<Input, { type: "loadFailed" }>;

/** The load that this answers, unless it is none any more or was started again. */
function running(turn: Turn, key: string, number: number): Load | undefined {
  const load = turn.state.loads.get(key);
  return load?.status === "running" && load.startedAt === number ? load : undefined;
}

export const times = ({ loads }: State): number[] =>
  [...loads.values()].map(({ status, notBefore }) => (status === "wanted" ? notBefore : Infinity));

export function failed(turn: Turn, { key, load: number, code, retryAfterMs }: Failed): void {
  const load = running(turn, key, number);
  if (!load) return;
  if (afterError(code) === "fix") {
    const { what } = load;
    // Not found: not a member any more. What else is refused stays so until it is asked for again.
    const isOfOne = what.kind === "page" || what.kind === "conversation";
    if (isOfOne && code === "not_found") forget(turn, what.conversationId);
    else if (what.kind === "conversation") turn.update(what.conversationId, { stale: false });
    turn.map("loads").set(key, { ...load, status: "failed", code });
    return;
  }
  const wait = retryAfterMs ?? turn.backoff(load.attempts);
  const attempts = load.attempts + 1;
  turn.map("loads").set(key, { ...load, status: "wanted", code, attempts, notBefore: turn.now + wait });
}

export function loaded(turn: Turn, key: string, number: number, body: LoadBody): void {
  const load = running(turn, key, number);
  if (!load) return;
  turn.map("loads").delete(key);
  switch (load.what.kind) {
    case "list":
      list(turn, load, body as Page<Conversation>);
      break;
    case "inbox":
      inbox(turn, load, body as Inbox);
      break;
    case "conversation":
      view(turn, body as Conversation, load.startedAt);
      break;
    case "page":
      page(turn, load, body as MessagePage);
      break;
  }
}

function list(turn: Turn, { what, startedAt }: Load, { items, nextCursor }: Page<Conversation>): void {
  if (what.kind !== "list") return;
  const unknown = items.some(({ id }) => !turn.conversation(id)?.info);
  for (const item of items) view(turn, item, startedAt);
  const before = turn.state.list;
  const isFirst = what.cursor === null;
  // What was known of the end of the list stays known: new conversations come in at its beginning.
  const cursor = isFirst && before.loaded && !unknown ? before.cursor : nextCursor;
  const complete = isFirst && before.loaded && !unknown ? before.complete : nextCursor === null;
  turn.state.list = { cursor, complete, loaded: true };
  const isAway = before.loaded && unknown && nextCursor !== null && what.page < limits.LIST_PAGES;
  if (isAway) want(turn, { kind: "list", cursor: nextCursor, page: what.page + 1 });
}

/** The marks of everything that is unread; what is not part of it is read. */
function inbox(turn: Turn, { what, startedAt }: Load, { items, nextCursor }: Inbox): void {
  if (what.kind !== "inbox") return;
  const isMarked = ({ markedAt }: ConversationState): boolean => markedAt > startedAt;
  for (const item of items) {
    const before = turn.conversation(item.conversationId);
    behind.counted(turn, before, item);
    if (!before?.info || before.position === null || before.wish !== null) continue;
    if (isMarked(before)) {
      // Marks have crossed: the next answer decides.
      if (before.readSeq !== item.readSeq) turn.update(before.id, { stale: true });
      continue;
    }
    const after = turn.update(before.id, answered(before, item.readSeq, item.headSeq < before.position));
    if (after.readSeq !== item.readSeq) {
      wantMark(turn, before.id);
      continue;
    }
    const unread = recounted(after, turn.me) ?? adopted(item, after, turn.me);
    turn.keep(before.id, unread ? { unread } : { stale: true });
  }
  if (nextCursor !== null) return want(turn, { kind: "inbox", cursor: nextCursor });
  if (what.cursor !== null) return;
  const unread = new Set(items.map(({ conversationId }) => conversationId));
  for (const conversation of turn.state.conversations.values()) {
    const isRead = !unread.has(conversation.id) && conversation.unread.count > 0 && conversation.wish === null;
    // Or a message has come since: the conversation itself shows which.
    if (isRead) turn.update(conversation.id, { stale: true });
  }
}

/** Takes what the server answers about a conversation, unless events or read marks have gone beyond it. */
export function view(turn: Turn, item: Conversation, startedAt: number): void {
  const before = turn.conversation(item.id);
  behind.counted(turn, before, item);
  const position = before?.position ?? item.headSeq;
  const segments: readonly Segment[] =
    before && before.position !== null ? before.segments : [{ after: item.headSeq, to: item.headSeq, messages: [] }];
  const isOlder = item.headSeq < position;
  const { type, name, role, createdAt, participantCount } = item;
  const participants = item.participants ?? before?.info?.participants ?? null;
  const info = isOlder && before?.info ? before.info : { type, name, role, createdAt, participantCount, participants };
  const marked = before !== undefined && (before.markedAt > startedAt || before.wish !== null);
  const after = turn.update(item.id, {
    info,
    position,
    segments,
    ...(isOlder && before?.lastMessage
      ? {}
      : { lastMessage: item.lastMessage, lastActivityAt: item.lastActivityAt }),
    ...(marked ? {} : answered(before, item.readSeq, isOlder)),
    reads: { ...Object.fromEntries((item.participants ?? []).map((p) => [p.userId, p.readSeq])), ...before?.reads },
    stale: false,
  });
  const isKept = after.readSeq !== item.readSeq;
  const unread = recounted(after, turn.me) ?? (isKept ? null : adopted(item, after, turn.me));
  if (isKept && !marked) {
    if (unread) turn.keep(item.id, { unread });
    wantMark(turn, item.id);
    if (item.lastMessage) settle(turn, item.lastMessage);
    return;
  }
  // Marks and events crossed this answer: the next one will fit.
  const isWished = after.wish !== null;
  if (unread) turn.keep(item.id, { unread, stale: isKept && !isWished });
  else turn.update(item.id, { stale: !isWished });
  if (item.lastMessage) settle(turn, item.lastMessage);
}

/** An answer went back: what it was made from is complete after a moment. */
const wantMark = (turn: Turn, conversationId: string): void =>
  want(turn, { kind: "conversation", conversationId }, turn.now + limits.READ_EVERY);

function page(turn: Turn, { what }: Load, { items, hasMore, headSeq }: MessagePage): void {
  if (what.kind !== "page") return;
  const before = turn.conversation(what.conversationId);
  if (!before) return;
  const position = before.position ?? headSeq;
  if (before.changes.length >= limits.CHANGES && headSeq < position) {
    // More came meanwhile than was remembered.
    turn.update(before.id, { changes: [] });
    return want(turn, what);
  }
  const [first, last] = [items[0]?.seq, items.at(-1)?.seq];
  const after = what.after ?? (hasMore && first !== undefined ? first - 1 : 0);
  const to = what.before !== null ? what.before - 1 : hasMore && last !== undefined ? last : Math.max(headSeq, last ?? 0);
  const late = before.changes.filter(({ seq }) => seq > headSeq);
  const messages = items.map((message) => {
    const changes = late.filter(({ target }) => target === message.seq);
    const now = changes.reduce((m, frame) => changed(m, frame, turn.me), held(message, headSeq));
    return { ...now, asOf: Math.max(headSeq, position) };
  });
  const current = before.position === null ? [{ after: headSeq, to: headSeq, messages: [] }] : before.segments;
  const live = current.at(-1);
  if (live && after > live.to) {
    // All of it comes after what this socket has sent: it arrives as events, or is a gap and is asked for.
    return gap(turn, before.id, headSeq, limits.ARRIVES_WITHIN);
  }
  const merged = insert(current, { after, to, messages });
  const next = turn.keep(before.id, { position, segments: boundedPages(merged, what.before !== null) });
  const unread = recounted(next, turn.me);
  if (unread) turn.update(before.id, { unread });
  for (const message of items) settle(turn, message);
}

/** The user is in it no more. */
export function forget(turn: Turn, id: string): void {
  for (const [key, { what }] of turn.state.loads) {
    if ("conversationId" in what && what.conversationId === id) turn.map("loads").delete(key);
  }
  if (!turn.conversation(id)) return;
  turn.map("conversations").delete(id);
  turn.emit({ type: "forgetCopy", conversationId: id });
}

/** A view that still shows it sees that it is not there, as if it had asked. */
export function missing(turn: Turn, id: string): void {
  if (!Object.values(turn.state.views).some((ids) => ids.includes(id))) return;
  const what: LoadWhat = { kind: "conversation", conversationId: id };
  const failed = { attempts: 0, notBefore: 0, code: "not_found", startedAt: turn.state.inputs };
  turn.map("loads").set(keyOf(what), { key: keyOf(what), what, status: "failed", ...failed });
}

/** Membership has changed: what was asked for before may be answered as it was then. */
export function cancel(turn: Turn, id: string): void {
  const loads = turn.map("loads");
  for (const [key, load] of loads) {
    if (!("conversationId" in load.what)) loads.set(key, { ...load, status: "wanted" });
    else if (load.what.conversationId === id) loads.delete(key);
  }
}
