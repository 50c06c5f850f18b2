/** The socket: when it is opened, greeted, resumed, taken for dead, and opened again (docs/client.md). */

import { afterClose, afterError, type StopReason } from "../wire/codes";
import type { ErrorFrame, Positions, Welcome } from "../wire/frames";
import * as behind from "./behind";
import { reset, resumed } from "./events";
import * as limits from "./limits";
import * as loads from "./loads";
import * as outbox from "./outbox";
import { isWelcomed, type State } from "./state";
import type { Turn } from "./turn";

/** Answers to a renewal after which there is no session any more. */
const SESSION_ENDED = new Set(["unauthenticated", "token_expired", "bad_credentials", "session_revoked"]);

/** Opens a socket, after the token was renewed if it needs to be. */
export function connect(turn: Turn): void {
  const { state } = turn;
  if (!state.token || turn.now >= state.token.renewAt) {
    state.connection = { phase: "renewing" };
    return renew(turn);
  }
  state.socket += 1;
  state.draining = false;
  state.pongBy = null;
  state.connection = { phase: "connecting", deadline: turn.now + limits.CONNECT_WITHIN };
  turn.emit({ type: "open", socket: state.socket });
}

export function renew(turn: Turn): void {
  if (turn.state.renewing) return;
  turn.state.renewing = true;
  turn.emit({ type: "renew" });
}

export function renewed(turn: Turn, value: string, expiresInMs: number): void {
  const { state } = turn;
  state.renewing = false;
  state.token = { value, renewAt: turn.now + expiresInMs * limits.RENEW_AT };
  if (state.connection.phase === "renewing") connect(turn);
  else if (isWelcomed(state)) turn.request({ kind: "other" }, (id) => ({ type: "token", id, token: value }));
}

export function notRenewed(turn: Turn, code: string, retryAfterMs: number | undefined): void {
  const { state } = turn;
  state.renewing = false;
  // Only a server that knows the session and ends it makes the client wipe what may not have been sent yet.
  if (SESSION_ENDED.has(code)) return stop(turn, "sessionEnded");
  const wait = retryAfterMs ?? turn.backoff(state.attempt);
  state.renewNotBefore = turn.now + wait;
  if (state.connection.phase !== "renewing") return;
  pause(turn, wait, code);
  state.attempt += 1;
}

export function opened(turn: Turn): void {
  const { state } = turn;
  if (state.connection.phase !== "connecting" || !state.token) return;
  state.connection = { phase: "greeting", deadline: turn.now + limits.CONNECT_WITHIN };
  const positions = positionsToResume(state);
  const resume =
    state.epoch !== null && Object.keys(positions).length > 0 ? { resume: { epoch: state.epoch, positions } } : {};
  turn.send({ type: "hello", token: state.token.value, deviceId: state.deviceId, ...resume });
}

/** Positions of the most active conversations, as many as one resume takes. */
function positionsToResume({ conversations, limits: server }: State): Positions {
  const most = server?.resumePositions ?? limits.RESUME_POSITIONS;
  const known = [...conversations.values()].filter(({ position }) => position !== null);
  known.sort((a, b) => (a.lastActivityAt < b.lastActivityAt ? 1 : a.lastActivityAt > b.lastActivityAt ? -1 : 0));
  return Object.fromEntries(known.slice(0, most).map(({ id, position }) => [id, position as number]));
}

export function welcomed(turn: Turn, frame: Welcome): void {
  const { state } = turn;
  if (state.connection.phase !== "greeting") return;
  if (state.userId !== null && state.userId !== frame.userId) return stop(turn, "sessionEnded");
  const asked = state.epoch === null ? {} : positionsToResume(state);
  const isOtherEpoch = state.epoch !== null && state.epoch !== frame.epoch;
  state.userId = frame.userId;
  state.epoch = frame.epoch;
  state.heartbeatMs = frame.heartbeatMs;
  state.limits = frame.limits;
  state.clientIdPrefix = frame.clientIdPrefix ?? state.clientIdPrefix;
  state.retryAfter = null;
  turn.saveMeta();
  for (const { id } of state.conversations.values()) {
    // What is not resumed may miss events: nothing of it can be trusted.
    if (isOtherEpoch || !(id in asked)) reset(turn, id, null);
    // Marks are seqs, too: those of another epoch mean nothing.
    if (isOtherEpoch) turn.update(id, { readSeq: 0, readVersion: 0, reads: {}, wish: null });
  }
  const isResuming = Object.keys(asked).length > 0;
  state.connection = isResuming
    ? { phase: "catchingUp", resume: null, again: null }
    : { phase: "live", since: turn.now };
  loads.restart(turn);
}

export function resumeDone(turn: Turn, id: number | string | null | undefined): void {
  const { connection, requests } = turn.state;
  const request = typeof id === "number" ? requests.get(id) : undefined;
  if (request?.kind === "resume") {
    turn.map("requests").delete(id as number);
    resumed(turn, request.conversationIds);
  }
  if (connection.phase === "catchingUp" && (id ?? null) === connection.resume) {
    turn.state.connection = { phase: "live", since: turn.now };
    behind.clear(turn);
    resumed(turn, turn.state.conversations.keys());
  }
}

/** An error that answers no request with an id: of hello, or of the resume in it. */
export function errorWithoutId(turn: Turn, frame: ErrorFrame): void {
  const { state } = turn;
  const { connection } = state;
  if (connection.phase === "greeting") {
    state.retryAfter = frame.retryAfterMs ?? null;
    if (afterError(frame.code) === "renew") state.token = null;
  } else if (connection.phase === "catchingUp" && connection.resume === null) {
    resumeFailed(turn, frame);
  }
}

export function resumeFailed(turn: Turn, { retryAfterMs }: Pick<ErrorFrame, "retryAfterMs">): void {
  const { connection } = turn.state;
  if (connection.phase !== "catchingUp") return;
  const again = turn.now + (retryAfterMs ?? turn.backoff(turn.state.attempt));
  turn.state.connection = { ...connection, again };
}

/** The socket is gone, or given up: `code` is its close code, 1006 when it had none. */
export function lost(turn: Turn, code: number): void {
  const { state } = turn;
  const after = afterClose(code);
  if (after.do === "failSends") {
    // Only a frame that is too large is answered so: what was under way must not be sent again by itself.
    for (const entry of state.outbox) if (entry.status === "sending") outbox.fail(turn, entry, after.code);
  }
  const wasStable = state.connection.phase === "live" && turn.now - state.connection.since >= limits.STABLE_AFTER;
  const attempt = wasStable ? 0 : state.attempt;
  disconnected(turn);
  if (after.do === "stop") return stop(turn, after.reason);
  state.attempt = attempt + 1;
  if (after.do === "renew") {
    state.token = null;
    // The token was refused, not the client: at once, but not again and again.
    if (attempt === 0) return connect(turn);
  }
  const asked = state.retryAfter;
  state.retryAfter = null;
  // A first attempt after a good connection is soon, and spread, for a whole node's clients may come at once.
  const wait = attempt === 0 ? Math.round(turn.env.random * limits.BACKOFF_FIRST) : turn.backoff(attempt);
  pause(turn, asked === null ? wait : asked + Math.round(turn.env.random * limits.BACKOFF_FIRST), code);
}

function pause(turn: Turn, wait: number, code: string | number): void {
  turn.state.connection = { phase: "waiting", until: turn.now + wait, code };
  turn.state.attempt = Math.max(1, turn.state.attempt);
}

/** Everything that lived on the socket ends with it. */
function disconnected(turn: Turn): void {
  const { state } = turn;
  for (const [, request] of state.requests) {
    if (request.kind === "change") turn.emit({ type: "answer", ref: request.ref, code: "disconnected" });
  }
  behind.clear(turn);
  state.requests = new Map();
  state.presence = new Map();
  state.pongBy = null;
  outbox.interrupted(turn);
  for (const { id, joined, joinNotBefore, typing, repair, wish } of state.conversations.values()) {
    const quiet = joined === "no" && joinNotBefore === 0 && Object.keys(typing).length === 0 && !repair && (wish?.request ?? null) === null;
    if (quiet) continue;
    turn.update(id, { joined: "no", joinNotBefore: 0, typing: {}, repair: null, wish: wish && { ...wish, request: null, notBefore: 0 } });
  }
}

export function stop(turn: Turn, reason: StopReason): void {
  const { state } = turn;
  const hasSocket = state.connection.phase !== "stopped" && state.connection.phase !== "waiting";
  if (hasSocket) turn.emit({ type: "close", socket: state.socket });
  disconnected(turn);
  state.socket += 1;
  state.connection = { phase: "stopped", reason };
  state.renewing = false;
  if (reason !== "signedOut" && reason !== "sessionEnded") return;
  // Nothing of a session stays readable after it.
  state.token = null;
  state.userId = null;
  state.epoch = null;
  state.clientIdPrefix = null;
  state.outbox = [];
  state.conversations = new Map();
  state.loads = new Map();
  state.list = { cursor: null, complete: false, loaded: false };
  turn.emit({ type: "wipe" });
}

/** The tab with the socket is gone, and with it what it had under way; this one goes on. */
export function takeOver(turn: Turn): void {
  const { state } = turn;
  for (const entry of state.outbox) if (entry.status === "saving") turn.emit({ type: "saveSend", entry });
  // The answer to a renewal went to the tab that is gone.
  state.renewing = false;
  // The others report again what they show.
  state.views = {};
  if (state.connection.phase === "stopped") return;
  disconnected(turn);
  state.attempt = 0;
  state.retryAfter = null;
  connect(turn);
}

export function start(turn: Turn): void {
  if (turn.state.connection.phase !== "stopped") return;
  turn.state.attempt = 0;
  turn.saveMeta();
  connect(turn);
}

/** What the browser reports of the network. */
export function network(turn: Turn, online: boolean): void {
  const { state } = turn;
  const isBack = online && !state.network;
  state.network = online;
  // What made the attempts fail is over.
  if (isBack) state.attempt = 0;
  // Without a network an attempt would only make the next wait longer.
  if (online || isWelcomed(state)) probe(turn);
}

/** The user asked for it: at once, and if that fails again soon, as after a first failure. */
export function reconnect(turn: Turn): void {
  const { state } = turn;
  if (state.connection.phase === "stopped") return start(turn);
  if (!isWelcomed(state)) state.attempt = 0;
  probe(turn);
}

/** Something happened that makes a dead socket likely: a sleep, another network. */
export function probe(turn: Turn): void {
  const { state } = turn;
  switch (state.connection.phase) {
    case "waiting":
      // Not earlier than the server asked for.
      if (state.connection.code !== 1012 && state.connection.code !== 4029) connect(turn);
      break;
    case "catchingUp":
    case "live":
      ping(turn, limits.PROBE_WITHIN);
      break;
    default:
      break;
  }
}

function ping(turn: Turn, within: number): void {
  const { state } = turn;
  state.pongBy = Math.min(state.pongBy ?? Infinity, turn.now + within);
  turn.request({ kind: "other" }, (id) => ({ type: "ping", id }));
}

/** What is due by now. */
export function tick(turn: Turn): void {
  const { state } = turn;
  const { connection, token } = state;
  const { now } = turn;
  switch (connection.phase) {
    case "waiting":
      if (now >= connection.until) connect(turn);
      return;
    case "connecting":
    case "greeting":
      if (now >= connection.deadline) giveUp(turn);
      return;
    case "catchingUp":
    case "live":
      break;
    default:
      return;
  }
  const isUnanswered = [...state.requests.values()].some(({ by }) => now >= by);
  if (isUnanswered || (state.pongBy !== null && now >= state.pongBy)) return giveUp(turn);
  if (state.pongBy === null && now >= state.heardAt + state.heartbeatMs) ping(turn, limits.PONG_WITHIN);
  if (token && now >= Math.max(token.renewAt, state.renewNotBefore)) renew(turn);
  if (connection.phase === "catchingUp" && connection.again !== null && now >= connection.again) {
    const positions = positionsToResume(state);
    const ids = Object.keys(positions);
    const resume = turn.request({ kind: "resume", conversationIds: ids }, (id) => ({ type: "resume", id, positions }));
    state.connection = { phase: "catchingUp", resume, again: null };
  }
}

export function giveUp(turn: Turn): void {
  turn.emit({ type: "close", socket: turn.state.socket });
  turn.state.socket += 1;
  lost(turn, 1006);
}

/** When `tick` has something to do. */
export function times({ connection, requests, pongBy, heardAt, heartbeatMs, token, renewNotBefore }: State): number[] {
  switch (connection.phase) {
    case "waiting":
      return [connection.until];
    case "connecting":
    case "greeting":
      return [connection.deadline];
    case "catchingUp":
    case "live": {
      const times = [pongBy ?? heardAt + heartbeatMs, ...[...requests.values()].map(({ by }) => by)];
      if (token) times.push(Math.max(token.renewAt, renewNotBefore));
      if (connection.phase === "catchingUp" && connection.again !== null) times.push(connection.again);
      return times;
    }
    default:
      return [];
  }
}
