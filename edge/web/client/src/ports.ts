/** What the client needs of its surroundings. Browsers have all of it; tests and other programs give their own. */

/** An open socket, or one that is opening. */
export interface SocketPort {
  send(text: string): void;
  close(): void;
}

export interface SocketEvents {
  opened(): void;
  message(text: string): void;
  /** Once, whether it was open or not; 1006 when there was no close code. */
  closed(code: number): void;
}

export type OpenSocket = (url: string, protocol: string, events: SocketEvents) => SocketPort;

export interface Clock {
  /** Milliseconds that never go back. */
  now(): number;
  /** Calls once, after that many milliseconds; returns how to cancel it. */
  after(ms: number, call: () => void): () => void;
  /** The wall clock, to be shown to users. */
  wall(): Date;
}

/** Text keys, values that can be cloned. Every call may fail: a full disk, a private window. */
export interface Storage {
  get(key: string): Promise<unknown>;
  put(key: string, value: unknown): Promise<void>;
  delete(key: string): Promise<void>;
  /** Values whose key begins so, in the order of their keys. */
  scan(prefix: string): Promise<unknown[]>;
  clear(): Promise<void>;
}

/** Tabs of the same user in the same browser: one of them leads. */
export interface Tabs {
  /** Unique among them. */
  readonly id: string;
  /** Settles when this tab leads: at once, or when the tab that leads is gone. It leads until `close`. */
  lead(): Promise<void>;
  /** To every other tab, in order. */
  post(message: unknown): void;
  listen(receive: (message: unknown) => void): void;
  close(): void;
}

/** Access to an account: where tokens come from. */
export interface Auth {
  /** A fresh token. Calls at the same time may share one renewal. Fails with an `ApiError`. */
  renew(): Promise<{ token: string; expiresInMs: number }>;
}

export interface Ports {
  openSocket: OpenSocket;
  fetch: typeof fetch;
  clock: Clock;
  /** 0 ≤ random < 1. */
  random: () => number;
  /** A unique text of visible ASCII, at most 36 characters. */
  unique: () => string;
  storage: Storage;
  tabs: Tabs;
}
