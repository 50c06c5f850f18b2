/** What an application uses: one object for one signed-in user. */

import type { Command } from "./core/io";
import type { State } from "./core/state";
import { Replica } from "./driver/replica";
import { type CallOptions, Rest } from "./driver/rest";
import type { Auth, Ports } from "./ports";
import { bounded } from "./storage/bounded";

/** A command that was refused, with its code; `disconnected`: no socket, or it ended before the answer. */
export class Refused extends Error {
  constructor(
    readonly code: string,
    /** Milliseconds after which another attempt makes sense. */
    readonly retryAfterMs: number | null = null,
  ) {
    super(code);
    this.name = "Refused";
  }
}

export interface ClientOptions {
  /** Of the server: `https://chat.example.org`; in a page it serves: `location.origin`. */
  base: string;
  auth: Auth;
  ports: Ports;
}

export class NatterClient {
  /** Calls over HTTP, with this user's token. */
  readonly rest: Rest;
  private readonly replica: Replica;
  private readonly shown = new Map<string, number>();

  constructor({ base, auth, ports: given }: ClientOptions) {
    const origin = base.replace(/\/$/, "");
    const ports = { ...given, storage: bounded(given.storage, given.clock) };
    this.ports = ports;
    this.rest = new Rest(origin, ports.fetch, auth, () => ports.clock.now());
    this.replica = new Replica(`${origin.replace(/^http/, "ws")}/ws`, ports, this.rest);
  }

  private readonly ports: Ports;

  /** Everything that is known, as plain values that are never changed in place: compare by identity. */
  get state(): State {
    return this.replica.state;
  }

  /** By the clock of the times in `state`, which is that of the tab that leads. */
  get now(): number {
    return this.replica.now();
  }

  /** Whether this tab has the socket. */
  get leads(): boolean {
    return this.replica.leads;
  }

  /** Calls after each change of `state`; returns how to stop that. */
  subscribe(listener: () => void): () => void {
    return this.replica.subscribe(listener);
  }

  /** Loads what is stored, and connects. Settles when this tab leads, which may be never: do not wait for it. */
  start(): Promise<void> {
    this.replica.input({ type: "start" });
    return this.replica.run();
  }

  /** Connects at once because the user asked for it: also after another device took this one's place. */
  reconnect(): void {
    this.replica.input({ type: "reconnect" });
  }

  /** Ends the session on this device: everything that is stored is wiped, in every tab. */
  signOut(): void {
    this.replica.input({ type: "stop", reason: "signedOut" });
  }

  /** Leaves without signing out; another tab takes over. */
  close(): Promise<void> {
    return this.replica.close();
  }

  /** The browser reports whether there is a network. */
  setOnline(online: boolean): void {
    this.replica.input({ type: "network", online });
  }

  /** The page was frozen or hidden for long: the socket may be dead. */
  wake(): void {
    this.replica.input({ type: "wake" });
  }

  /**
   * Sends a message: now, or as soon as it can be, in order. Settles with its clientId when the outbox has it; what
   * becomes of it is in the timeline.
   */
  async send(conversationId: string, content: string, replyTo: number | null = null): Promise<string> {
    const clientId = (this.state.clientIdPrefix ?? "") + this.ports.unique();
    const at = this.ports.clock.wall().toISOString();
    await this.run({ type: "send", conversationId, content, clientId, replyTo, at });
    return clientId;
  }

  /** Sends a failed message again. */
  retry(clientId: string): Promise<void> {
    return this.run({ type: "retry", clientId });
  }

  /** Takes a message out of the outbox that failed or waits; `conflict` while it is under way. */
  discard(clientId: string): Promise<void> {
    return this.run({ type: "discard", clientId });
  }

  edit(conversationId: string, seq: number, content: string): Promise<void> {
    return this.run({ type: "edit", conversationId, seq, content });
  }

  delete(conversationId: string, seq: number): Promise<void> {
    return this.run({ type: "delete", conversationId, seq });
  }

  react(conversationId: string, seq: number, emoji: string, on: boolean): Promise<void> {
    return this.run({ type: "react", conversationId, seq, emoji, on });
  }

  /** The user has read everything up to here. Shown at once, sent when it can be. */
  read(conversationId: string, seq: number): Promise<void> {
    return this.run({ type: "read", conversationId, seq });
  }

  /** The message at `seq` and everything after it is unread again. */
  markUnread(conversationId: string, seq: number): Promise<void> {
    return this.run({ type: "markUnread", conversationId, seq });
  }

  /** Call it on every key: it is sent as often as is useful. */
  typing(conversationId: string, isTyping: boolean): Promise<void> {
    return this.run({ type: "typing", conversationId, isTyping });
  }

  /** Keeps a conversation loaded, with typing and presence, until the returned function is called. */
  open(conversationId: string): () => void {
    this.shown.set(conversationId, (this.shown.get(conversationId) ?? 0) + 1);
    this.replica.show([...this.shown.keys()]);
    let isOpen = true;
    return () => {
      if (!isOpen) return;
      isOpen = false;
      const views = (this.shown.get(conversationId) ?? 1) - 1;
      if (views > 0) this.shown.set(conversationId, views);
      else this.shown.delete(conversationId);
      this.replica.show([...this.shown.keys()]);
    };
  }

  /** Loads the messages before a seq: `timeline().before`, or that of a seam. */
  loadOlder(conversationId: string, before: number): Promise<void> {
    return this.run({ type: "loadOlder", conversationId, before });
  }

  /** Loads the messages after a seq: that of a seam. */
  loadNewer(conversationId: string, after: number): Promise<void> {
    return this.run({ type: "loadNewer", conversationId, after });
  }

  /** Loads a message with what is around it; seams show what is not known between it and the rest. */
  loadAround(conversationId: string, seq: number): Promise<void> {
    return this.run({ type: "loadAround", conversationId, seq });
  }

  /** Loads more of the list of conversations, until `state.list.complete`. */
  loadMore(): Promise<void> {
    return this.run({ type: "loadMore" });
  }

  call<T>(method: string, path: string, options: CallOptions = {}): Promise<T> {
    return this.rest.call<T>(method, path, options);
  }

  private async run(command: Command): Promise<void> {
    const { code, retryAfterMs } = await this.replica.command(command);
    if (code !== null) throw new Refused(code, retryAfterMs ?? null);
  }
}
