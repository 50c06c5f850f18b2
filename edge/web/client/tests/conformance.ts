/** Runs the steps of conformance.json against the machine; docs/client.md says what each means. */

import { expect } from "vitest";

import type { Command, Effect, Input } from "../src/core/io";
import { initial, type Outgoing, type State } from "../src/core/state";
import { due, step } from "../src/core/step";
import { timeline } from "../src/views";
import type { ClientFrame } from "../src/wire/frames";

type Json = Record<string, unknown>;

export type ConformanceStep =
  | { opens: boolean }
  | { closes: number }
  | { renews: string; expiresInMs: number }
  | { client: Json }
  | { server: Json }
  | { quiet: true }
  | { http: string; query?: Record<string, string>; body: Json }
  | { user: Json }
  | { stored: { clientId: string; conversationId: string; content: string } }
  | { time: number }
  | { silence: number }
  | { connection: State["connection"]["phase"] }
  | { shows: Record<string, Json | null> }
  | { outbox: Json[] };

/** Frames a client may send whenever it wants to. */
const ANY_TIME = new Set<string>(["ping", "join", "leave"]);

export class ConformanceRun {
  private state = initial("phone");
  private now = 0;
  private isStarted = false;
  private sent: ClientFrame[] = [];
  private opening: number | null = null;
  private renewing = 0;
  private loads: Extract<Effect, { type: "load" }>[] = [];
  private readonly requests = new Map<string, unknown>();

  constructor(private readonly ids: Record<string, string>) {}

  take(given: ConformanceStep, what: string): void {
    const asked = this.withIds(given) as ConformanceStep;
    if ("stored" in asked) return this.restore(asked.stored);
    if (!this.isStarted) {
      this.isStarted = true;
      this.input({ type: "start" });
    }
    if ("opens" in asked) {
      expect(this.opening !== null, what).toBe(asked.opens);
      this.opening = null;
      if (asked.opens) this.input({ type: "opened", socket: this.state.socket });
    } else if ("closes" in asked) {
      this.input({ type: "closed", socket: this.state.socket, code: asked.closes });
    } else if ("renews" in asked) {
      expect(this.renewing, what).toBeGreaterThan(0);
      this.renewing = 0;
      this.input({ type: "token", token: asked.renews, expiresInMs: asked.expiresInMs });
    } else if ("client" in asked) {
      this.expectFrame(asked.client, what);
    } else if ("server" in asked) {
      const frame = this.withRequests(asked.server);
      this.input({ type: "frame", socket: this.state.socket, frame: frame as never });
    } else if ("quiet" in asked) {
      expect(this.sent.filter(({ type }) => !ANY_TIME.has(type)), what).toEqual([]);
    } else if ("http" in asked) {
      this.answer(asked, what);
    } else if ("user" in asked) {
      this.input({ type: "command", ref: "user", command: { tab: "tab", at: "", ...asked.user } as unknown as Command });
    } else if ("time" in asked) {
      this.pass(asked.time, true);
    } else if ("silence" in asked) {
      this.pass(asked.silence, false);
    } else if ("connection" in asked) {
      expect(this.state.connection.phase, what).toBe(asked.connection);
    } else if ("outbox" in asked) {
      expect(this.state.outbox, what).toMatchObject(asked.outbox);
    } else {
      for (const [id, shown] of Object.entries(asked.shows)) this.expectShown(id, shown, what);
    }
  }

  private input(input: Input): void {
    const { state, effects } = step(this.state, input, { now: this.now, random: 0.5 });
    this.state = state;
    for (const effect of effects) {
      if (effect.type === "open") this.opening = effect.socket;
      if (effect.type === "close") this.opening = null;
      if (effect.type === "send") this.sent.push(effect.frame);
      if (effect.type === "renew") this.renewing += 1;
      if (effect.type === "load") this.loads.push(effect);
      if (effect.type === "saveSend") this.input({ type: "saved", clientId: effect.entry.clientId });
    }
  }

  private restore(stored: { clientId: string; conversationId: string; content: string }): void {
    const entry = { ...stored, replyTo: null, order: 1, at: "", status: "queued", tried: false } as unknown as Outgoing;
    this.input({ type: "restored", meta: null, outbox: [{ ...entry, code: null, seq: null }], copies: [] });
  }

  /** Time passes; pings are answered, unless nothing is. */
  private pass(ms: number, isAnswered: boolean): void {
    const end = this.now + ms;
    for (let at = due(this.state, this.now); at <= end; at = due(this.state, this.now)) {
      this.now = at;
      this.input({ type: "tick" });
      if (isAnswered) this.pong();
    }
    this.now = end;
  }

  private pong(): void {
    const pings = this.sent.filter(({ type }) => type === "ping");
    this.sent = this.sent.filter(({ type }) => type !== "ping");
    for (const ping of pings) {
      const frame = { type: "pong", id: "id" in ping ? ping.id : null, serverTime: "2026-01-01T00:00:00.000Z" } as const;
      this.input({ type: "frame", socket: this.state.socket, frame });
    }
  }

  private expectFrame(expected: Json, what: string): void {
    while (this.sent[0] && this.sent[0].type !== expected["type"] && ANY_TIME.has(this.sent[0].type)) this.sent.shift();
    const frame = this.sent.shift() as unknown as Json | undefined;
    const { id, ...fields } = expected;
    const { id: requestId, ...sent } = frame ?? {};
    expect(sent, what).toEqual(fields);
    if (typeof id === "string") this.requests.set(id, requestId);
  }

  private answer({ http, query = {}, body }: Extract<ConformanceStep, { http: string }>, what: string): void {
    const index = this.loads.findIndex(({ what: load }) => {
      if (load.kind === "list") return http === "/api/conversations";
      if (load.kind === "conversation") return http === `/api/conversations/${load.conversationId}`;
      if (load.kind === "inbox") return http === "/api/inbox";
      const asked: Record<string, string> = { conversationId: load.conversationId };
      if (load.before !== null) asked["before"] = String(load.before);
      if (load.after !== null) asked["after"] = String(load.after);
      return http === "/api/messages" && Object.entries(query).every(([name, value]) => asked[name] === value);
    });
    const [load] = index < 0 ? [] : this.loads.splice(index, 1);
    expect(load, `${what}: asked for are ${JSON.stringify(this.loads.map(({ key }) => key))}`).toBeDefined();
    if (load) this.input({ type: "loaded", key: load.key, load: load.load, body: body as never });
  }

  private expectShown(id: string, shown: Json | null, what: string): void {
    const conversation = this.state.conversations.get(id);
    if (shown === null) return expect(conversation, what).toBeUndefined();
    const { items, before } = timeline(this.state, id);
    const messages = items.flatMap((item) => (item.kind === "message" ? [item.message] : []));
    const outgoing = items.flatMap((item) => (item.kind === "outgoing" ? [item.entry] : []));
    const older = before;
    const { count: unread } = conversation?.unread ?? { count: 0 };
    const now: Json = { messages, outgoing, older, unread, readSeq: conversation?.readSeq };
    for (const [name, value] of Object.entries(shown)) {
      if (Array.isArray(value)) {
        expect(now[name], what).toHaveLength(value.length);
        expect(now[name], what).toMatchObject(value);
      } else {
        expect(now[name], `${name}, ${what}`).toEqual(value);
      }
    }
  }

  /** Names with an @ are ids of the file's table. */
  private withIds(value: unknown): unknown {
    return JSON.parse(JSON.stringify(value).replace(/"(@\w+)"/g, (_, name: string) => JSON.stringify(this.ids[name])));
  }

  /** Texts with a $ are the ids of requests that the client has chosen. */
  private withRequests(frame: Json): Json {
    const { id } = frame;
    return typeof id === "string" && id.startsWith("$") ? { ...frame, id: this.requests.get(id) } : frame;
  }
}
