/** A message and what changes it: edits, deletion, reactions. */

import type { ChangeFrame } from "../wire/frames";
import type { Message, Reaction } from "../wire/rest";
import { REACTORS } from "./limits";
import type { Held } from "./segments";

export const held = (message: Message, asOf: number): Held => ({ ...message, asOf });

/** The message with one change; the very same one if the change is part of it already. */
export function changed(message: Held, event: ChangeFrame, me: string): Held {
  if (event.seq <= message.asOf) return message;
  switch (event.type) {
    case "message:edited":
      // Nothing comes back after a deletion. Without content the edit was before it: a resume sends both.
      return message.deletedAt !== null && event.content !== null
        ? { ...message, asOf: event.seq }
        : { ...message, content: event.content, editedAt: event.at, asOf: event.seq };
    case "message:deleted":
      return { ...message, content: null, deletedAt: event.at, reactions: [], asOf: event.seq };
    case "reaction:changed":
      return message.deletedAt !== null
        ? { ...message, asOf: event.seq }
        : { ...message, reactions: reactions(message.reactions, event, me), asOf: event.seq };
  }
}

interface Reacted {
  emoji: string;
  on: boolean;
  userId: string;
}

function reactions(before: readonly Reaction[], { emoji, on, userId }: Reacted, me: string): Reaction[] {
  const at = before.findIndex((reaction) => reaction.emoji === emoji);
  const known = before[at];
  if (on) {
    if (!known) return [...before, { emoji, count: 1, me: userId === me, userIds: [userId] }];
    if (known.userIds.includes(userId)) return [...before];
    const userIds = known.userIds.length < REACTORS ? [...known.userIds, userId] : known.userIds;
    return before.with(at, { emoji, count: known.count + 1, me: known.me || userId === me, userIds });
  }
  // Only the first of many are named: who is not among them is one of the others.
  if (!known || (!known.userIds.includes(userId) && known.count <= known.userIds.length)) return [...before];
  if (known.count === 1) return before.toSpliced(at, 1);
  const userIds = known.userIds.filter((id) => id !== userId);
  return before.with(at, { emoji, count: known.count - 1, me: known.me && userId !== me, userIds });
}
