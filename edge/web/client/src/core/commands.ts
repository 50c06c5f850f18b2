/** What a user does. A command that is answered later returns nothing. */

import type { ClientFrame } from "../wire/frames";
import type { Command } from "./io";
import * as limits from "./limits";
import * as loads from "./loads";
import * as outbox from "./outbox";
import * as presence from "./presence";
import * as reads from "./reads";
import { keepNewest } from "./segments";
import { isWelcomed } from "./state";
import type { Turn } from "./turn";

export function command(turn: Turn, ref: string, asked: Command): void {
  const answer = take(turn, ref, asked);
  if (answer !== undefined) turn.emit({ type: "answer", ref, code: answer });
}

/** `null`: done; a code: refused; nothing: answered when the server has answered. */
function take(turn: Turn, ref: string, asked: Command): string | null | undefined {
  switch (asked.type) {
    case "send":
      return outbox.enqueue(turn, asked);
    case "retry":
      return outbox.retry(turn, asked.clientId);
    case "discard":
      return outbox.discard(turn, asked.clientId);
    case "edit":
    case "delete":
    case "react":
      return change(turn, ref, (id) => ({ ...asked, id }));
    case "read":
      reads.read(turn, asked.conversationId, asked.seq);
      return null;
    case "markUnread":
      reads.markUnread(turn, asked.conversationId, asked.seq);
      return null;
    case "typing":
      presence.type(turn, asked.conversationId, asked.isTyping);
      return null;
    case "show":
      show(turn, asked.tab, asked.conversationIds);
      return null;
    case "loadOlder":
      loads.want(turn, { kind: "page", conversationId: asked.conversationId, before: asked.before, after: null });
      return null;
    case "loadNewer":
      loads.want(turn, { kind: "page", conversationId: asked.conversationId, before: null, after: asked.after });
      return null;
    case "loadAround":
      loads.want(turn, { kind: "page", conversationId: asked.conversationId, before: asked.seq + 1, after: null });
      loads.want(turn, { kind: "page", conversationId: asked.conversationId, before: null, after: asked.seq });
      return null;
    case "loadMore": {
      const { cursor, complete, loaded } = turn.state.list;
      if (loaded && !complete) loads.want(turn, { kind: "list", cursor, page: limits.LIST_PAGES });
      return null;
    }
  }
}

/** Changes of what is in the log already are not kept for later: what they change may be another thing by then. */
function change(turn: Turn, ref: string, frame: (id: number) => ClientFrame): string | undefined {
  if (!isWelcomed(turn.state) || turn.state.draining) return "disconnected";
  turn.request({ kind: "change", ref }, frame);
  return undefined;
}

/** Tabs say what they show, so that a tab that is gone leaves nothing counted. */
export function show(turn: Turn, tab: string, ids: readonly string[]): void {
  const { [tab]: _, ...others } = turn.state.views;
  turn.state.views = ids.length > 0 ? { ...others, [tab]: ids.slice(0, limits.JOINS) } : others;
  const shown = new Set(Object.values(turn.state.views).flat());
  for (const id of shown) if (!turn.conversation(id)?.open) turn.update(id, { open: true });
  for (const { id, open, segments } of turn.state.conversations.values()) {
    if (!open || shown.has(id)) continue;
    presence.leave(turn, id);
    turn.update(id, { open: false, segments: keepNewest(segments.slice(-1), limits.MESSAGES_CLOSED) });
  }
}
