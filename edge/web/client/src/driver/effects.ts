/** Carries out what the machine asks for. Only the tab that leads does. */

import type { Effect, Input } from "../core/io";
import type { LoadWhat, Outgoing } from "../core/state";
import * as limits from "../core/limits";
import type { Ports, SocketPort, Storage } from "../ports";
import type { ServerFrame } from "../wire/frames";
import type { Rest } from "./rest";

const META = "meta";
const SENDS = "send/";
const COPIES = "copy/";

/** What storage has of an earlier run; nothing if it cannot be read. */
export async function restored(storage: Storage): Promise<Extract<Input, { type: "restored" }>> {
  try {
    const [meta, outbox, copies] = await Promise.all([storage.get(META), storage.scan(SENDS), storage.scan(COPIES)]);
    return { type: "restored", meta: (meta ?? null) as never, outbox: outbox as never, copies: copies as never };
  } catch {
    return { type: "restored", meta: null, outbox: [], copies: [] };
  }
}

export class Effects {
  private socket: { number: number; port: SocketPort } | null = null;
  /** Writes happen one after the other, in the order in which they were asked for. */
  private writes: Promise<void> = Promise.resolve();

  constructor(
    private readonly url: string,
    private readonly ports: Ports,
    private readonly rest: Rest,
    private readonly dispatch: (input: Input) => void,
  ) {}

  run(effect: Effect): void {
    switch (effect.type) {
      case "open":
        return this.open(effect.socket);
      case "send":
        if (this.socket?.number === effect.socket) this.socket.port.send(JSON.stringify(effect.frame));
        return;
      case "close":
        return this.close();
      case "renew":
        return void this.renew();
      case "load":
        return void this.load(effect);
      case "saveSend":
        return this.saveSend(effect.entry);
      case "forgetSend":
        return this.write((storage) => storage.delete(SENDS + effect.clientId));
      case "saveMeta":
        return this.write((storage) => storage.put(META, effect.meta));
      case "saveCopy":
        return this.write((storage) => storage.put(COPIES + effect.copy.id, effect.copy));
      case "forgetCopy":
        return this.write((storage) => storage.delete(COPIES + effect.conversationId));
      case "wipe":
        return this.write((storage) => storage.clear());
      case "answer":
        return;
    }
  }

  /** Ends the socket without a word to the machine. */
  close(): void {
    const { socket } = this;
    this.socket = null;
    socket?.port.close();
  }

  /** Settles when everything asked for so far was written, or could not be. */
  written(): Promise<void> {
    return this.writes;
  }

  private open(number: number): void {
    this.close();
    const port = this.ports.openSocket(this.url, "natter.v1", {
      opened: () => this.dispatch({ type: "opened", socket: number }),
      message: (text) => this.receive(number, text),
      closed: (code) => {
        if (this.socket?.number === number) this.socket = null;
        this.dispatch({ type: "closed", socket: number, code });
      },
    });
    this.socket = { number, port };
  }

  private receive(number: number, text: string): void {
    let frame: ServerFrame;
    try {
      frame = JSON.parse(text) as ServerFrame;
    } catch {
      // What is not JSON cannot be of this protocol: everything from the last position on is asked for again.
      this.close();
      return this.dispatch({ type: "closed", socket: number, code: 1006 });
    }
    this.dispatch({ type: "frame", socket: number, frame });
  }

  private async renew(): Promise<void> {
    try {
      const { token, expiresInMs } = await this.rest.renew();
      this.dispatch({ type: "token", token, expiresInMs });
    } catch (error) {
      this.dispatch({ type: "tokenFailed", ...failure(error) });
    }
  }

  private async load({ key, load, what }: Extract<Effect, { type: "load" }>): Promise<void> {
    try {
      this.dispatch({ type: "loaded", key, load, body: await this.rest.call("GET", path(what)) });
    } catch (error) {
      this.dispatch({ type: "loadFailed", key, load, ...failure(error) });
    }
  }

  private saveSend(entry: Outgoing): void {
    const { clientId } = entry;
    this.writes = this.writes
      .then(() => this.ports.storage.put(SENDS + clientId, entry))
      .then(
        () => this.dispatch({ type: "saved", clientId }),
        () => this.dispatch({ type: "saveFailed", clientId }),
      );
  }

  /** What cannot be kept is only missing after a reload: the server has all of it. */
  private write(how: (storage: Storage) => Promise<void>): void {
    this.writes = this.writes.then(() => how(this.ports.storage)).catch(() => undefined);
  }
}

/** The code of an `ApiError`, or of an application's own error that has one. */
function failure(error: unknown): { code: string; retryAfterMs?: number } {
  const { code, retryAfterMs } = (error ?? {}) as { code?: unknown; retryAfterMs?: unknown };
  if (typeof code !== "string") return { code: "unavailable" };
  return typeof retryAfterMs === "number" ? { code, retryAfterMs } : { code };
}

function path(what: LoadWhat): string {
  const query = new URLSearchParams();
  switch (what.kind) {
    case "list":
      query.set("limit", String(limits.PAGE));
      if (what.cursor !== null) query.set("cursor", what.cursor);
      return `/api/conversations?${query}`;
    case "inbox":
      if (what.cursor !== null) query.set("cursor", what.cursor);
      return `/api/inbox?${query}`;
    case "conversation":
      return `/api/conversations/${encodeURIComponent(what.conversationId)}`;
    case "page":
      query.set("conversationId", what.conversationId);
      query.set("limit", String(limits.PAGE));
      if (what.before !== null) query.set("before", String(what.before));
      if (what.after !== null) query.set("after", String(what.after));
      return `/api/messages?${query}`;
  }
}
