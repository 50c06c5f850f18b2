/** One step in the making: the state as it becomes, and what is asked for. The state before is left as it was. */

import type { ClientFrame } from "../wire/frames";
import type { Effect, Env, Meta } from "./io";
import * as limits from "./limits";
import { type ConversationState, type Request, type State, unknownConversation } from "./state";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
/** What one request is for, before it has a time. */
type RequestKind = Request extends infer R ? (R extends Request ? Omit<R, "by"> : never) : never;

export class Turn {
  readonly state: Mutable<State>;
  readonly effects: Effect[] = [];
  /** Maps that are this turn's own already. */
  private readonly own = new Set<unknown>();

  constructor(
    before: State,
    readonly env: Env,
  ) {
    this.state = { ...before, inputs: before.inputs + 1 };
  }

  get now(): number {
    return this.env.now;
  }

  get me(): string {
    return this.state.userId ?? "";
  }

  emit(effect: Effect): void {
    this.effects.push(effect);
  }

  conversation(id: string): ConversationState | undefined {
    return this.state.conversations.get(id);
  }

  /** Changes a conversation, which is made if it is not known; nothing happens if nothing changes. */
  update(id: string, changes: Partial<ConversationState>): ConversationState {
    const before = this.state.conversations.get(id) ?? unknownConversation(id);
    const after = { ...before, ...changes };
    this.map("conversations").set(id, after);
    return after;
  }

  /** A change that is worth keeping: the copy in storage is written soon. */
  keep(id: string, changes: Partial<ConversationState>): ConversationState {
    const saveAt = this.conversation(id)?.saveAt ?? this.now + limits.STORE_EVERY;
    return this.update(id, { ...changes, saveAt });
  }

  /** A map of the state that this turn may change. */
  map<K extends "conversations" | "requests" | "presence" | "loads">(
    name: K,
  ): State[K] extends ReadonlyMap<infer A, infer B> ? Map<A, B> : never {
    let map = this.state[name];
    if (!this.own.has(map)) {
      map = new Map(map as ReadonlyMap<never, never>) as unknown as State[K];
      this.own.add(map);
      this.state[name] = map as Mutable<State>[K];
    }
    return map as never;
  }

  /** A frame that is answered; returns the id of the request. */
  request(what: RequestKind, frame: (id: number) => ClientFrame): number {
    const id = this.state.nextRequest;
    this.state.nextRequest = id + 1;
    this.map("requests").set(id, { ...what, by: this.now + limits.ANSWER_WITHIN } as Request);
    this.send(frame(id));
    return id;
  }

  send(frame: ClientFrame): void {
    this.emit({ type: "send", socket: this.state.socket, frame });
  }

  saveMeta(): void {
    const { deviceId, userId, epoch, limits } = this.state;
    const meta: Meta = { deviceId, userId, epoch, limits };
    this.emit({ type: "saveMeta", meta });
  }

  /** Half of the back-off at least, and all of it at most, so that many clients do not come back at once. */
  backoff(attempt: number): number {
    const most = Math.min(limits.BACKOFF_MOST, limits.BACKOFF_FIRST * 2 ** Math.min(attempt, 16));
    return Math.round(most * (0.5 + this.env.random / 2));
  }
}
