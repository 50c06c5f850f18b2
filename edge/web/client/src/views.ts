/** What a user interface shows of the state. Results are kept by identity: the same state gives the same objects. */

import type { Message } from "./wire/rest";
import type { ConversationState, Outgoing, State } from "./core/state";
import * as limits from "./core/limits";

export type TimelineItem =
  | { kind: "message"; key: string; message: Message }
  /** Messages between two seqs are not known: `after` and `before` are what to load them with. */
  | { kind: "seam"; key: string; after: number; before: number }
  | { kind: "outgoing"; key: string; entry: Outgoing };

export interface Timeline {
  items: TimelineItem[];
  /** Older messages may exist: load them with `before`. Null: the first item is the conversation's first message. */
  before: number | null;
  /** Whether everything up to the newest message is known. */
  isComplete: boolean;
}

const NONE: readonly Outgoing[] = [];
const timelines = new WeakMap<ConversationState, { outbox: readonly Outgoing[]; timeline: Timeline }>();

/**
 * A conversation from top to bottom, one's own messages that are on their way at its end. A message keeps its key when it
 * arrives, so that a row that is shown already is not made again.
 */
export function timeline(state: State, conversationId: string): Timeline {
  const conversation = state.conversations.get(conversationId);
  const outbox = outgoing(state, conversationId);
  if (!conversation) return build([], outbox, "", false);
  const known = timelines.get(conversation);
  if (known && sameEntries(known.outbox, outbox)) return known.timeline;
  const made = build(conversation.segments, outbox, state.userId ?? "", conversation.position !== null && conversation.repair === null);
  timelines.set(conversation, { outbox, timeline: made });
  return made;
}

const sameEntries = (a: readonly Outgoing[], b: readonly Outgoing[]): boolean =>
  a.length === b.length && a.every((entry, i) => entry === b[i]);

function outgoing({ outbox }: State, conversationId: string): readonly Outgoing[] {
  const own = outbox.filter((entry) => entry.conversationId === conversationId);
  return own.length > 0 ? own : NONE;
}

function build(
  segments: ConversationState["segments"],
  outbox: readonly Outgoing[],
  me: string,
  isComplete: boolean,
): Timeline {
  const items: TimelineItem[] = [];
  const keys = new Set<string>();
  segments.forEach(({ after, messages }, i) => {
    const before = segments[i - 1];
    if (before) items.push({ kind: "seam", key: `seam:${before.to}`, after: before.to, before: after + 1 });
    for (const message of messages) {
      const known = `client:${message.senderId}:${message.clientId}`;
      // Devices of one user, and bots, may use the same clientId.
      const key = message.clientId === null || keys.has(known) ? `seq:${message.seq}` : known;
      keys.add(key);
      items.push({ kind: "message", key, message });
    }
  });
  for (const entry of outbox) items.push({ kind: "outgoing", key: `client:${me}:${entry.clientId}`, entry });
  const first = segments[0];
  return { items, before: first && first.after > 0 ? first.after + 1 : null, isComplete };
}

const lists = new WeakMap<State["conversations"], ConversationState[]>();

/** Conversations with the newest activity first; only those of which more than events is known. */
export function conversationList({ conversations }: State): ConversationState[] {
  const known = lists.get(conversations);
  if (known) return known;
  const list = [...conversations.values()].filter(({ info }) => info !== null);
  list.sort((a, b) =>
    a.lastActivityAt === b.lastActivityAt ? (a.id < b.id ? -1 : 1) : a.lastActivityAt < b.lastActivityAt ? 1 : -1,
  );
  lists.set(conversations, list);
  return list;
}

/** Messages that are on their way after a reconnect, as far as it is known; at most a hundred of each conversation. */
export function messagesBehind({ behind }: State): number {
  return Object.values(behind).reduce((sum, { messages }) => sum + messages, 0);
}

/** Over all known conversations; a hundred and more in one count as a hundred. */
export function totalUnread({ conversations }: State): number {
  let total = 0;
  for (const { unread } of conversations.values()) total += Math.min(unread.count, limits.UNREAD);
  return total;
}

/** Who else has read up to a message, as far as it was seen. */
export function readBy(conversation: ConversationState, seq: number, me: string): string[] {
  return Object.entries(conversation.reads)
    .filter(([userId, readSeq]) => userId !== me && readSeq >= seq)
    .map(([userId]) => userId);
}
