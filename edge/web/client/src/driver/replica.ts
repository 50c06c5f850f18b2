/**
 * The machine in every tab. One tab leads: it has the socket, the storage and the timer, and takes every input. It sends
 * each input to the others, which take the same step and so are in the same state: whoever takes over has everything,
 * messages that wait to be sent included.
 */

import type { Command, Effect, Env, Input } from "../core/io";
import { initial, type State } from "../core/state";
import { due, step } from "../core/step";
import type { Ports } from "../ports";
import { Effects, restored } from "./effects";
import type { Rest } from "./rest";

/** A timer later than this by so much was held by a sleep. */
const SLEPT = 5_000;
/** The longest timer: clocks of sleeping devices are looked at again. */
const TIMER_MOST = 60_000;

type Message =
  | { kind: "hello"; from: string }
  /** `mirrored`: how many of the inputs before it the tab that leads had when it began to. */
  | { kind: "state"; to: string | null; state: State; now: number; mirrored: number }
  | { kind: "step"; number: number; input: Input; env: Env }
  | { kind: "input"; input: Input };

type Answer = Extract<Effect, { type: "answer" }>;

interface Pending {
  command: Command;
  isTaken: boolean;
  resolve: (answer: Answer) => void;
}

export class Replica {
  state: State;
  private isLeading = false;
  /** A follower without a state of the one that leads. */
  private isSynced = false;
  /** The leader's clock, compared with this tab's. */
  private offset = 0;
  private steppedAt = 0;
  private mirrored = 0;
  private cancelTimer: (() => void) | null = null;
  private readonly listeners = new Set<() => void>();
  private readonly pending = new Map<string, Pending>();
  private readonly effects: Effects;
  private nextRef = 1;
  private isClosed = false;
  private shown: string[] = [];
  private wantsStart = false;
  /** Inputs that arrived while one was taken. */
  private readonly queue: Input[] = [];
  private isTaking = false;
  /** Inputs from before there was a tab that leads. */
  private early: Input[] = [];

  constructor(
    url: string,
    private readonly ports: Ports,
    rest: Rest,
  ) {
    this.state = initial(ports.unique());
    this.effects = new Effects(url, ports, rest, (input) => this.lead(input));
    ports.tabs.listen((message) => this.receive(message as Message));
  }

  /** Takes part: follows the tab that leads, or leads. */
  async run(): Promise<void> {
    const { tabs, storage } = this.ports;
    tabs.post({ kind: "hello", from: tabs.id } satisfies Message);
    await tabs.lead();
    if (this.isClosed) return;
    const stored = this.isSynced ? null : await restored(storage);
    if (this.isClosed) return;
    this.isLeading = true;
    this.mirrored = this.state.inputs;
    this.lead(stored ?? { type: "takeOver" });
    this.postState(null);
    if (this.shown.length > 0) this.show(this.shown);
    for (const [ref, { command, isTaken }] of this.pending) if (!isTaken) this.lead({ type: "command", ref, command });
    this.startIfNew();
    this.flushEarly();
  }

  private flushEarly(): void {
    for (const input of this.early.splice(0)) this.input(input);
  }

  /** A state that was stopped stays so until the user signs in again. */
  private startIfNew(): void {
    const { connection } = this.state;
    if (!this.wantsStart || connection.phase !== "stopped" || connection.reason !== "notStarted") return;
    this.input({ type: "start" });
  }

  /** An input from outside the machine, wherever it is taken. */
  input(input: Input): void {
    if (input.type === "start") this.wantsStart = true;
    if (this.isLeading) this.lead(input);
    else if (this.isSynced) this.ports.tabs.post({ kind: "input", input } satisfies Message);
    // No tab may lead yet: a sign-out must not be lost. Commands wait by themselves.
    else if (input.type !== "command" && input.type !== "start") this.early.push(input);
  }

  /** `code` is that of a refusal, or null once it was done. */
  command(command: Command): Promise<Answer> {
    const ref = `${this.ports.tabs.id}:${this.nextRef}`;
    this.nextRef += 1;
    return new Promise((resolve) => {
      this.pending.set(ref, { command, isTaken: false, resolve });
      this.input({ type: "command", ref, command });
    });
  }

  /** What this tab shows; said again to each new leader. */
  show(conversationIds: string[]): void {
    this.shown = conversationIds;
    void this.command({ type: "show", tab: this.ports.tabs.id, conversationIds });
  }

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Leaves; another tab takes over what this one led. */
  async close(): Promise<void> {
    if (this.isClosed) return;
    this.show([]);
    this.isClosed = true;
    this.isLeading = false;
    this.cancelTimer?.();
    this.effects.close();
    await this.effects.written();
    this.ports.tabs.close();
  }

  get leads(): boolean {
    return this.isLeading;
  }

  /** By the clock of the tab that leads. */
  now(): number {
    return this.ports.clock.now() + this.offset;
  }

  private lead(input: Input): void {
    this.queue.push(input);
    if (this.isTaking) return;
    this.isTaking = true;
    try {
      for (let next = this.queue.shift(); next && this.isLeading; next = this.queue.shift()) this.takeAsLeader(next);
    } finally {
      this.isTaking = false;
    }
    if (this.isLeading) this.setTimer();
  }

  private takeAsLeader(input: Input): void {
    const env = { now: this.now(), random: this.ports.random() };
    const effects = this.take(input, env);
    const number = this.state.inputs;
    // To the others first: what is done now is known to whoever takes over.
    this.ports.tabs.post({ kind: "step", number, input, env } satisfies Message);
    for (const effect of effects) this.effects.run(effect);
  }

  private take(input: Input, env: Env): Effect[] {
    const { state, effects } = step(this.state, input, env);
    this.state = state;
    this.steppedAt = env.now;
    if (input.type === "command") {
      const pending = this.pending.get(input.ref);
      if (pending) pending.isTaken = true;
    }
    for (const effect of effects) {
      if (effect.type !== "answer") continue;
      this.pending.get(effect.ref)?.resolve(effect);
      this.pending.delete(effect.ref);
    }
    for (const listener of this.listeners) listener();
    return effects;
  }

  private postState(to: string | null): void {
    const { state, mirrored } = this;
    this.ports.tabs.post({ kind: "state", to, state, now: this.now(), mirrored } satisfies Message);
  }

  private receive(message: Message): void {
    if (this.isClosed) return;
    const { tabs } = this.ports;
    switch (message.kind) {
      case "hello":
        if (this.isLeading) this.postState(message.from);
        return;
      case "input":
        return this.lead(message.input);
      case "step":
        if (this.isLeading || !this.isSynced) return;
        if (message.number === this.state.inputs + 1) {
          this.offset = message.env.now - this.ports.clock.now();
          this.take(message.input, message.env);
        } else if (message.number > this.state.inputs) {
          this.isSynced = false;
          tabs.post({ kind: "hello", from: tabs.id } satisfies Message);
        }
        return;
      case "state":
        if (!this.isLeading && (message.to === null || message.to === tabs.id)) this.follow(message);
        return;
    }
  }

  /** Goes on from the state of the tab that leads. */
  private follow({ to, state, now, mirrored }: Extract<Message, { kind: "state" }>): void {
    const before = this.state;
    this.state = state;
    this.offset = now - this.ports.clock.now();
    const isFirst = !this.isSynced;
    this.isSynced = true;
    for (const listener of this.listeners) listener();
    if (to !== null && !isFirst) return;
    this.startIfNew();
    // What the one before did not take, or no tab took.
    for (const [ref, { command, isTaken }] of this.pending) {
      if (!isTaken) this.ports.tabs.post({ kind: "input", input: { type: "command", ref, command } } satisfies Message);
    }
    if (this.shown.length > 0) this.show(this.shown);
    this.flushEarly();
    if (!isFirst && before.inputs > mirrored) this.sendLost(before);
  }

  /** The tab that leads now may have missed the last inputs of the one before: messages in them are given to it again. */
  private sendLost(before: State): void {
    if (before.userId !== this.state.userId) return;
    const known = new Set(this.state.outbox.map(({ clientId }) => clientId));
    for (const { status, clientId, conversationId, content, replyTo, at } of before.outbox) {
      if (status === "sent" || status === "failed" || known.has(clientId)) continue;
      void this.command({ type: "send", clientId, conversationId, content, replyTo, at });
    }
  }

  private setTimer(): void {
    const now = this.now();
    const at = due(this.state, this.steppedAt);
    this.cancelTimer?.();
    const wait = Math.max(0, Math.min(at - now, TIMER_MOST));
    const expected = now + wait;
    this.cancelTimer = this.ports.clock.after(wait, () => {
      this.lead({ type: this.now() > expected + SLEPT ? "wake" : "tick" });
    });
  }
}
