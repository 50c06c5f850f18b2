/**
 * Messages of one's own on their way: in storage before they are sent, one of each conversation at a time so that their
 * order is kept, sent again with the same clientId until they are acked or refused for good.
 */

import { afterError } from "../wire/codes";
import type { Ack, ErrorFrame } from "../wire/frames";
import type { Message } from "../wire/rest";
import type { Command } from "./io";
import * as limits from "./limits";
import { isWelcomed, type Outgoing, type State } from "./state";
import type { Turn } from "./turn";

type Send = Extract<Command, { type: "send" }>;

/** Takes a message; returns why not. */
export function enqueue(turn: Turn, command: Send): string | null {
  const { outbox } = turn.state;
  const { conversationId, content, clientId, replyTo, at } = command;
  // A tab repeats what the one before did not confirm.
  if (outbox.some((entry) => entry.clientId === clientId)) return null;
  if (outbox.length >= limits.OUTBOX) return "outbox_full";
  const bytes = new TextEncoder().encode(content).length;
  if (content.trim() === "" || bytes > (turn.state.limits?.contentBytes ?? limits.CONTENT_BYTES)) return "invalid";
  if (!/^[\x21-\x7e]{1,64}$/.test(clientId)) return "invalid";
  const entry: Outgoing = {
    clientId,
    conversationId,
    content,
    replyTo,
    order: (outbox.at(-1)?.order ?? 0) + 1,
    at,
    status: "saving",
    code: null,
    tried: false,
    attempts: 0,
    notBefore: 0,
    unsaved: false,
    seq: null,
  };
  turn.state.outbox = [...outbox, entry];
  turn.emit({ type: "saveSend", entry });
  return null;
}

export function saved(turn: Turn, clientId: string, ok: boolean): void {
  const entry = turn.state.outbox.find((e) => e.clientId === clientId);
  // Without storage it is sent all the same: a message that is shown as sent later is better than one refused.
  if (entry?.status === "saving") replace(turn, { ...entry, status: "queued", unsaved: !ok });
  else if (entry) replace(turn, { ...entry, unsaved: !ok });
}

/** What storage had: any of it may have been sent before. */
export function restore(turn: Turn, stored: readonly Outgoing[]): void {
  const known = new Set(turn.state.outbox.map((entry) => entry.clientId));
  const restored = stored
    .filter((entry) => !known.has(entry.clientId))
    .map((entry): Outgoing => {
      const status = entry.status === "failed" ? "failed" : "queued";
      return { ...entry, status, tried: true, attempts: 0, notBefore: 0, unsaved: false };
    });
  turn.state.outbox = [...restored, ...turn.state.outbox].sort((a, b) => a.order - b.order);
}

/** Sends what may be sent now. */
export function pump(turn: Turn): void {
  drop(turn);
  const { state } = turn;
  if (!isWelcomed(state) || state.draining || turn.now < state.sendNotBefore) return;
  const first = new Map<string, Outgoing>();
  let under = 0;
  for (const entry of state.outbox) {
    if (entry.status === "sending") under += 1;
    const isWaiting = entry.status !== "failed" && entry.status !== "sent";
    if (isWaiting && !first.has(entry.conversationId)) first.set(entry.conversationId, entry);
  }
  for (const entry of first.values()) {
    if (under >= limits.SENDS_AT_ONCE) return;
    if (entry.status !== "queued" || entry.notBefore > turn.now) continue;
    under += 1;
    const { conversationId, content, clientId, replyTo } = entry;
    turn.request({ kind: "send", conversationId, clientId }, (id) => ({
      type: "send",
      id,
      conversationId,
      content,
      clientId,
      ...(replyTo === null ? {} : { replyTo }),
      ...(entry.tried ? { retry: true as const } : {}),
    }));
    replace(turn, { ...entry, status: "sending", tried: true, attempts: entry.attempts + 1 });
  }
}

/** When what waits can be sent, if nothing is in its way. */
export function times({ outbox, sendNotBefore }: State): number[] {
  return outbox.filter(({ status }) => status === "queued").map(({ notBefore }) => Math.max(notBefore, sendNotBefore));
}

export function acked(turn: Turn, clientId: string, ack: Ack): void {
  const entry = turn.state.outbox.find((e) => e.clientId === clientId);
  if (!entry) return;
  turn.emit({ type: "forgetSend", clientId });
  replace(turn, { ...entry, status: "sent", seq: ack.seq ?? null, code: null });
}

export function refused(turn: Turn, clientId: string, error: ErrorFrame): void {
  const entry = turn.state.outbox.find((e) => e.clientId === clientId);
  if (entry?.status !== "sending") return;
  if (afterError(error.code) === "fix") return fail(turn, entry, error.code);
  const wait = error.retryAfterMs ?? turn.backoff(entry.attempts - 1);
  if (error.code === "rate_limited") turn.state.sendNotBefore = turn.now + wait;
  replace(turn, { ...entry, status: "queued", code: error.code, notBefore: turn.now + wait });
}

export function fail(turn: Turn, entry: Outgoing, code: string): void {
  const failed: Outgoing = { ...entry, status: "failed", code };
  replace(turn, failed);
  // The user finds it failed, not under way, after a reload.
  turn.emit({ type: "saveSend", entry: failed });
}

/** The socket is gone: what was under way may or may not have arrived. */
export function interrupted(turn: Turn): void {
  turn.state.outbox = turn.state.outbox.map((entry) =>
    entry.status === "sending" ? { ...entry, status: "queued" } : entry,
  );
}

/** A message that is in the log: if it is one of these, it has arrived, acked or not. */
export function settle(turn: Turn, message: Message): void {
  if (message.senderId !== turn.me || message.clientId === null) return;
  const { outbox } = turn.state;
  const entry = outbox.find((e) => e.clientId === message.clientId && e.conversationId === message.conversationId);
  if (!entry) return;
  if (entry.status !== "sent") turn.emit({ type: "forgetSend", clientId: entry.clientId });
  turn.state.outbox = outbox.filter((e) => e !== entry);
}

export function retry(turn: Turn, clientId: string): string | null {
  const entry = turn.state.outbox.find((e) => e.clientId === clientId);
  if (entry?.status !== "failed") return "not_found";
  const again: Outgoing = { ...entry, status: "saving", code: null, attempts: 0, notBefore: 0 };
  replace(turn, again);
  turn.emit({ type: "saveSend", entry: again });
  return null;
}

/** Only what is not under way: the log may have that already. */
export function discard(turn: Turn, clientId: string): string | null {
  const entry = turn.state.outbox.find((e) => e.clientId === clientId);
  if (!entry) return null;
  if (entry.status === "sending" || entry.status === "sent") return "conflict";
  turn.state.outbox = turn.state.outbox.filter((e) => e !== entry);
  turn.emit({ type: "forgetSend", clientId });
  return null;
}

/** What was acked, and is in what is held or in history. */
function drop(turn: Turn): void {
  const isSeen = ({ status, seq, conversationId }: Outgoing): boolean => {
    const position = turn.conversation(conversationId)?.position ?? null;
    return status === "sent" && (seq === null || (position !== null && position >= seq));
  };
  if (turn.state.outbox.some(isSeen)) turn.state.outbox = turn.state.outbox.filter((entry) => !isSeen(entry));
}

function replace(turn: Turn, entry: Outgoing): void {
  turn.state.outbox = turn.state.outbox.map((e) => (e.clientId === entry.clientId ? entry : e));
}
