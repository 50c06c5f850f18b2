/**
 * The machine: `step(state, input, env)` is the next state and what is to be done. It reads no clock, makes no
 * randomness, and touches nothing outside: the same inputs give the same states, in every tab and in every test.
 */

import { command } from "./commands";
import * as connection from "./connection";
import * as copies from "./copies";
import { repairGaps } from "./events";
import { frame } from "./frames";
import type { Effect, Env, Input } from "./io";
import * as loads from "./loads";
import * as outbox from "./outbox";
import * as presence from "./presence";
import * as reads from "./reads";
import { isWelcomed, type State } from "./state";
import { Turn } from "./turn";

export interface Step {
  state: State;
  effects: Effect[];
}

export function step(before: State, input: Input, env: Env): Step {
  const turn = new Turn(before, env);
  take(turn, input);
  connection.tick(turn);
  presence.expire(turn);
  repairGaps(turn);
  outbox.pump(turn);
  reads.pump(turn);
  presence.pump(turn);
  loads.pump(turn);
  copies.pump(turn);
  return { state: turn.state, effects: turn.effects };
}

/**
 * When the next `tick` is due, after a step at `now`; Infinity: when something else happens. What was due by `now` was
 * done in that step, or waits for something else than time.
 */
export function due(state: State, now: number): number {
  const repairs = [...state.conversations.values()].map(({ repair }) =>
    repair && repair.request === null ? repair.notBefore : Infinity,
  );
  const parts = [connection.times(state), presence.times(state), copies.times(state)];
  if (isWelcomed(state)) parts.push(outbox.times(state), reads.times(state), loads.times(state), repairs);
  let soonest = Infinity;
  for (const times of parts) for (const time of times) if (time > now && time < soonest) soonest = time;
  return soonest;
}

function take(turn: Turn, input: Input): void {
  const { state } = turn;
  switch (input.type) {
    case "restored":
      copies.restore(turn, input.meta, input.copies);
      return outbox.restore(turn, input.outbox);
    case "start":
      return connection.start(turn);
    case "stop":
      if (state.connection.phase === "stopped" && input.reason !== "signedOut") return;
      return connection.stop(turn, input.reason);
    case "tick":
      return;
    case "network":
      return connection.network(turn, input.online);
    case "wake":
      return connection.probe(turn);
    case "reconnect":
      return connection.reconnect(turn);
    case "takeOver":
      return connection.takeOver(turn);
    case "token":
      return connection.renewed(turn, input.token, input.expiresInMs);
    case "tokenFailed":
      return connection.notRenewed(turn, input.code, input.retryAfterMs);
    case "opened":
      if (input.socket === state.socket) connection.opened(turn);
      return;
    case "frame":
      if (input.socket !== state.socket) return;
      state.heardAt = turn.now;
      state.pongBy = null;
      return frame(turn, input.frame);
    case "closed":
      if (input.socket === state.socket) connection.lost(turn, input.code);
      return;
    case "saved":
      return outbox.saved(turn, input.clientId, true);
    case "saveFailed":
      return outbox.saved(turn, input.clientId, false);
    case "loaded":
      return loads.loaded(turn, input.key, input.load, input.body);
    case "loadFailed":
      return loads.failed(turn, input);
    case "command":
      return command(turn, input.ref, input.command);
  }
}
