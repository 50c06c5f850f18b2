/** One frame of the server, taken. */

import type { Ack, ErrorFrame, ServerFrame } from "../wire/frames";
import * as connection from "./connection";
import { event, gap, reset } from "./events";
import * as limits from "./limits";
import * as loads from "./loads";
import * as outbox from "./outbox";
import * as presence from "./presence";
import * as reads from "./reads";
import type { Request } from "./state";
import type { Turn } from "./turn";

export function frame(turn: Turn, received: ServerFrame): void {
  switch (received.type) {
    case "welcome":
      return connection.welcomed(turn, received);
    case "message:new":
    case "message:edited":
    case "message:deleted":
    case "reaction:changed":
    case "member:changed":
    case "conversation:updated":
      return event(turn, received);
    case "ack":
      return ack(turn, received);
    case "error":
      return error(turn, received);
    case "read:ack": {
      const request = answered(turn, received.id);
      if (request?.kind === "read") reads.acked(turn, received.id as number, request, received);
      return;
    }
    case "joined":
      if (answered(turn, received.id)?.kind !== "join") return;
      gap(turn, received.conversationId, received.headSeq, limits.ARRIVES_WITHIN);
      return presence.joined(turn, received.conversationId, received.online);
    case "resume:gap":
      return reset(turn, received.conversationId, received.headSeq);
    case "resume:done":
      return connection.resumeDone(turn, received.id);
    case "pong":
      answered(turn, received.id);
      return;
    case "heads":
      for (const [id, head] of Object.entries(received.positions)) gap(turn, id, head);
      return;
    case "conversation:added":
      loads.cancel(turn, received.conversation.id);
      return loads.view(turn, received.conversation, turn.state.inputs);
    case "conversation:removed":
      return removed(turn, received.conversationId);
    case "read:receipt":
      return reads.receipt(turn, received);
    case "typing":
      return presence.typing(turn, received.conversationId, received.userId, received.isTyping);
    case "presence": {
      const { userId, status, lastSeenAt, version } = received;
      return presence.set(turn, userId, { status, lastSeenAt, version });
    }
    case "goodbye":
      turn.state.draining = true;
      turn.state.retryAfter = received.retryAfterMs;
      return;
    default:
      // A type of a newer server: everything needed is in what is known.
      return;
  }
}

/** The request that this answers, which waits no more. */
function answered(turn: Turn, id: number | string | null | undefined): Request | undefined {
  if (typeof id !== "number") return undefined;
  const request = turn.state.requests.get(id);
  if (request) turn.map("requests").delete(id);
  return request;
}

function ack(turn: Turn, received: Ack): void {
  turn.state.clientIdPrefix = received.clientIdPrefix ?? turn.state.clientIdPrefix;
  const request = answered(turn, received.id);
  if (request?.kind === "send") outbox.acked(turn, request.clientId, received);
  else if (request?.kind === "change") turn.emit({ type: "answer", ref: request.ref, code: null });
}

function error(turn: Turn, received: ErrorFrame): void {
  if (received.id === null) return connection.errorWithoutId(turn, received);
  const request = answered(turn, received.id);
  switch (request?.kind) {
    case "send":
      return outbox.refused(turn, request.clientId, received);
    case "change":
      return changeRefused(turn, request.ref, received);
    case "read":
      return reads.refused(turn, received.id as number, request, received);
    case "resume":
      return resumeRefused(turn, request.conversationIds, received);
    case "join":
      return presence.refused(turn, request.conversationId, received);
    default:
      return;
  }
}

function changeRefused(turn: Turn, ref: string, { code, retryAfterMs }: ErrorFrame): void {
  turn.emit({ type: "answer", ref, code, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) });
}

function resumeRefused(turn: Turn, ids: readonly string[], received: ErrorFrame): void {
  if (turn.state.connection.phase === "catchingUp") return connection.resumeFailed(turn, received);
  const notBefore = turn.now + (received.retryAfterMs ?? turn.backoff(0));
  for (const id of ids) {
    const repair = turn.conversation(id)?.repair;
    if (repair) turn.update(id, { repair: { ...repair, request: null, notBefore } });
  }
}

function removed(turn: Turn, id: string): void {
  for (const entry of turn.state.outbox) {
    const waits = entry.status === "saving" || entry.status === "queued" || entry.status === "sending";
    if (entry.conversationId === id && waits) outbox.fail(turn, entry, "not_found");
  }
  loads.cancel(turn, id);
  loads.forget(turn, id);
  loads.missing(turn, id);
}
