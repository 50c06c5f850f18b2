/** Unread is a function of positions: messages of others after the read mark that are not deleted. */

import * as limits from "./limits";
import { indexOf, type Segment } from "./segments";
import type { ConversationState, Unread } from "./state";

/** Others' messages after a seq, if everything after it is held; otherwise null. */
function counted(segments: readonly Segment[], after: number, me: string): number | null {
  const live = segments.at(-1);
  if (!live || live.after > after) return null;
  let count = 0;
  for (let i = indexOf(live.messages, after + 1); i < live.messages.length && count < limits.UNREAD; i += 1) {
    const message = live.messages[i];
    if (message && message.senderId !== me && !message.deletedAt) count += 1;
  }
  return count;
}

/** What is unread after something changed; null: only the server can say. */
export function recounted(conversation: ConversationState, me: string): Unread | null {
  const { position, segments, readSeq } = conversation;
  if (position === null) return null;
  if (readSeq >= position) return { count: 0, asOf: position };
  const count = counted(segments, readSeq, me);
  return count === null ? null : { count, asOf: position };
}

export interface ServerCount {
  headSeq: number;
  readSeq: number;
  unreadCount: number;
}

/** What the server counted at its head, with what has come since; null: what has come since is not all held. */
export function adopted(view: ServerCount, conversation: ConversationState, me: string): Unread | null {
  const position = conversation.position ?? 0;
  if (view.headSeq >= position) return { count: view.unreadCount, asOf: view.headSeq };
  const since = counted(conversation.segments, Math.max(view.headSeq, view.readSeq), me);
  return since === null ? null : { count: Math.min(limits.UNREAD, view.unreadCount + since), asOf: position };
}
