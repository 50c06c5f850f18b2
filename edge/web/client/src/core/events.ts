/**
 * Events of a conversation, in the log's order. Each chains to the one before: what does not is a gap, which is closed
 * by a resume before anything after it is taken.
 */

import type { ChangeFrame, EventFrame, MemberChanged, MessageNew } from "../wire/frames";
import type { Message } from "../wire/rest";
import * as behind from "./behind";
import * as limits from "./limits";
import { changed, held } from "./messages";
import { settle } from "./outbox";
import { append, change, count, extend, find, keepNewest, keepOldest, type Segment } from "./segments";
import type { ConversationState } from "./state";
import type { Turn } from "./turn";
import { recounted } from "./unread";

export function event(turn: Turn, frame: EventFrame): void {
  const id = frame.conversationId;
  const conversation = turn.conversation(id);
  const position = conversation?.position ?? null;
  if (position === null) {
    // The first event of a conversation that is not known: everything before it is history.
    const after = frame.prevSeq || frame.seq - 1;
    turn.update(id, { position: after, segments: [{ after, to: after, messages: [] }] });
    return take(turn, frame);
  }
  if (frame.seq <= position) return;
  // 0 is "unknown" at the beginning of a resume, which has everything after the position.
  const chains = frame.prevSeq === position || (frame.prevSeq === 0 && isResuming(turn, id));
  if (chains) take(turn, frame);
  else gap(turn, id, frame.seq);
}

function isResuming(turn: Turn, id: string): boolean {
  return turn.state.connection.phase === "catchingUp" || turn.conversation(id)?.repair?.request != null;
}

/** Something up to `beyond` is missing, or will be after that wait. */
export function gap(turn: Turn, id: string, beyond: number, wait = 0): void {
  const conversation = turn.conversation(id);
  if (!conversation || conversation.position === null || beyond <= conversation.position) return;
  // A resume that is on its way sends everything; `resume:done` compares what came with this.
  const known = conversation.repair ?? { request: null, attempts: 0, beyond, notBefore: turn.now + wait };
  // The wait after a refusal stays.
  const notBefore = known.attempts > 0 ? known.notBefore : Math.min(known.notBefore, turn.now + wait);
  turn.update(id, { repair: { ...known, beyond: Math.max(known.beyond, beyond), notBefore } });
}

/** Asks for what gaps lack, once for each. */
export function repairGaps(turn: Turn): void {
  for (const [id, { repair, position }] of turn.state.conversations) {
    if (!repair || repair.request !== null || position === null || repair.notBefore > turn.now) continue;
    if (turn.state.connection.phase !== "live") continue;
    if (repair.attempts >= limits.RESUME_ATTEMPTS) {
      reset(turn, id, repair.beyond);
      continue;
    }
    const request = turn.request({ kind: "resume", conversationIds: [id] }, (requestId) => ({
      type: "resume",
      id: requestId,
      positions: { [id]: position },
    }));
    turn.update(id, { repair: { ...repair, request, attempts: repair.attempts + 1 } });
  }
}

/** A resume has sent what it had. */
export function resumed(turn: Turn, ids: Iterable<string>): void {
  for (const id of ids) {
    const conversation = turn.conversation(id);
    if (!conversation?.repair) continue;
    const closed = (conversation.position ?? 0) >= conversation.repair.beyond;
    turn.update(id, { repair: closed ? null : { ...conversation.repair, request: null, notBefore: turn.now } });
  }
}

/** The server cannot send what is missing: what is held may be wrong and is dropped, history is loaded again. */
export function reset(turn: Turn, id: string, head: number | null): void {
  const conversation = turn.conversation(id);
  if (!conversation) return;
  behind.arrived(turn, id, Infinity, false);
  const segments: Segment[] = head === null ? [] : [{ after: head, to: head, messages: [] }];
  turn.keep(id, { position: head, segments, changes: [], repair: null, stale: true });
  for (const [key, load] of turn.state.loads) {
    // A page from before the gap may lack what the gap had.
    if (load.what.kind === "page" && load.what.conversationId === id) turn.map("loads").delete(key);
  }
}

function take(turn: Turn, frame: EventFrame): void {
  const id = frame.conversationId;
  const before = turn.conversation(id) as ConversationState;
  switch (frame.type) {
    case "message:new":
      posted(turn, before, frame);
      break;
    case "message:edited":
    case "message:deleted":
    case "reaction:changed":
      changes(turn, before, frame);
      break;
    case "member:changed":
      member(turn, before, frame);
      break;
    case "conversation:updated":
      turn.update(id, { info: before.info && { ...before.info, name: frame.name ?? before.info.name } });
      break;
  }
  behind.arrived(turn, id, frame.seq, frame.type === "message:new");
  const { segments, repair } = turn.conversation(id) as ConversationState;
  // What was thought to be missing was only late.
  const isClosed = repair !== null && repair.request === null && frame.seq >= repair.beyond;
  turn.keep(id, { position: frame.seq, segments: extend(segments, frame.seq), ...(isClosed ? { repair: null } : {}) });
}

function posted(turn: Turn, before: ConversationState, { message }: MessageNew): void {
  const own = message.senderId === turn.me;
  const segments = bounded(append(before.segments, held(message, message.seq)), before);
  const { [message.senderId]: _, ...typing } = before.typing;
  const lastMessage = message.deletedAt ? before.lastMessage : message;
  const after = turn.update(before.id, {
    segments,
    typing,
    lastMessage,
    lastActivityAt: message.createdAt,
    ...(own ? readTo(turn, before, message.seq) : {}),
  });
  settle(turn, message);
  const { count, asOf } = before.unread;
  const counts = !own && !message.deletedAt && message.seq > Math.max(asOf, before.readSeq);
  const next = { count: Math.min(limits.UNREAD, count + (counts ? 1 : 0)), asOf: Math.max(asOf, message.seq) };
  turn.update(before.id, { unread: recounted({ ...after, position: message.seq }, turn.me) ?? next });
}

/** Who sends, and who comes into a conversation, has read it up to there. */
function readTo(turn: Turn, before: ConversationState, seq: number): Partial<ConversationState> {
  const version = before.readVersion + (before.readVersion % 2);
  return { readSeq: Math.max(before.readSeq, seq), readVersion: version, wish: null, markedAt: turn.state.inputs };
}

function changes(turn: Turn, before: ConversationState, frame: ChangeFrame): void {
  const target = find(before.segments, frame.target);
  const wasDeleted = target?.deletedAt != null;
  const segments = change(before.segments, frame.target, (message) => changed(message, frame, turn.me));
  const loading = [...turn.state.loads.values()].some(
    ({ what, status }) => status === "running" && what.kind === "page" && what.conversationId === before.id,
  );
  const remembered = loading ? [...before.changes, frame].slice(-limits.CHANGES) : [];
  let lastMessage = before.lastMessage;
  if (lastMessage?.seq === frame.target) {
    const asHeld = find(segments, frame.target);
    lastMessage = asHeld ?? changed(held(lastMessage, 0), frame, turn.me);
    if (lastMessage.deletedAt) lastMessage = newest(segments) ?? lastMessage;
  }
  const after = turn.update(before.id, { segments, changes: remembered, lastMessage });
  if (frame.type === "message:deleted") deleted(turn, after, frame.target, { known: target !== undefined, wasDeleted });
}

function deleted(turn: Turn, after: ConversationState, target: number, was: { known: boolean; wasDeleted: boolean }): void {
  if (target <= after.readSeq || was.wasDeleted) return;
  const recount = recounted(after, turn.me);
  if (recount) turn.update(after.id, { unread: recount });
  // Whose message it was is not part of the event, and beyond 99 one less may still be beyond.
  else turn.update(after.id, { stale: true });
}

function newest(segments: readonly Segment[]): Message | undefined {
  return segments.at(-1)?.messages.findLast((message) => !message.deletedAt);
}

function member(turn: Turn, before: ConversationState, frame: MemberChanged): void {
  const { info } = before;
  const mine = frame.userId === turn.me;
  if (mine && frame.change === "added") turn.update(before.id, readTo(turn, before, frame.seq));
  if (!info) return;
  const others = info.participants?.filter(({ userId }) => userId !== frame.userId) ?? null;
  const participants =
    frame.change === "roleChanged" && frame.role !== undefined
      ? (info.participants?.map((p) => (p.userId === frame.userId && frame.role ? { ...p, role: frame.role } : p)) ?? null)
      : others;
  const difference = { added: 1, removed: -1, roleChanged: 0 }[frame.change];
  // The name of who came is not part of the event: it is asked for when the conversation is shown.
  const isShown = before.open;
  turn.update(before.id, {
    info: {
      ...info,
      participants: isShown ? participants : null,
      participantCount: info.participantCount + difference,
      role: mine && frame.role ? frame.role : info.role,
    },
    stale: before.stale || isShown,
  });
}

/** No more messages than may be held; cut with some room, so that not each new message drops an old one. */
function bounded(segments: readonly Segment[], conversation: ConversationState): readonly Segment[] {
  const most = conversation.open ? limits.MESSAGES_OPEN : limits.MESSAGES_CLOSED;
  return count(segments) <= most * 1.2 ? segments : keepNewest(segments, most);
}

/**
 * The same after a page for a reader who scrolls back, or on from there: what is on the other side of them is dropped, and
 * loaded again on the way back.
 */
export function boundedPages(segments: readonly Segment[], isBack: boolean): readonly Segment[] {
  if (count(segments) <= limits.MESSAGES_OPEN) return segments;
  return isBack ? keepOldest(segments, limits.MESSAGES_OPEN, limits.PAGE) : keepNewest(segments, limits.MESSAGES_OPEN);
}
