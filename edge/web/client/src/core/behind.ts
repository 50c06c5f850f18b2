/** How much is on its way after a reconnect: what the server counted up to its newest event, less what has arrived since. */

import type { ConversationState } from "./state";
import type { Turn } from "./turn";
import { recounted, type ServerCount } from "./unread";

/** The server's count of a conversation, before it is taken. */
export function counted(turn: Turn, before: ConversationState | undefined, { headSeq, unreadCount }: ServerCount): void {
  const { state } = turn;
  if (state.connection.phase !== "catchingUp" || !before || before.position === null || headSeq <= before.position) return;
  if (before.id in state.behind) return;
  const known = recounted(before, turn.me)?.count ?? before.unread.count;
  // One's own messages from elsewhere are not counted as unread, and are on their way all the same.
  const messages = Math.max(1, unreadCount - known);
  state.behind = { ...state.behind, [before.id]: { head: headSeq, messages } };
}

/** An event was taken. */
export function arrived(turn: Turn, id: string, seq: number, isMessage: boolean): void {
  const { state } = turn;
  const known = state.behind[id];
  if (!known) return;
  const { [id]: _, ...others } = state.behind;
  if (seq >= known.head) state.behind = others;
  else if (isMessage) state.behind = { ...others, [id]: { ...known, messages: Math.max(1, known.messages - 1) } };
}

/** The number means something during one catching up alone. */
export function clear(turn: Turn): void {
  turn.state.behind = {};
}
