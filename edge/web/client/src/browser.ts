/** The surroundings of a browser: WebSocket, timers, Web Locks, BroadcastChannel. */

import type { Clock, OpenSocket, Tabs } from "./ports";

/** Also of programs that have the same WebSocket, such as Node's package `ws`. */
export function webSockets(make: (url: string, protocol: string) => WebSocket): OpenSocket {
  return (url, protocol, events) => {
    const socket = make(url, protocol);
    let isClosed = false;
    const closed = (code: number): void => {
      if (isClosed) return;
      isClosed = true;
      events.closed(code);
    };
    socket.onopen = () => !isClosed && events.opened();
    socket.onmessage = (message: MessageEvent) => {
      if (!isClosed) events.message(typeof message.data === "string" ? message.data : "");
    };
    socket.onclose = (event: CloseEvent) => closed(event.code);
    // A close with its code follows.
    socket.onerror = () => undefined;
    return {
      send: (text) => socket.send(text),
      close: () => {
        isClosed = true;
        socket.close(1000);
      },
    };
  };
}

/** Of all tabs alike: `timeOrigin` differs between them by their age alone. */
export function systemClock(): Clock {
  return {
    now: () => performance.timeOrigin + performance.now(),
    after: (ms, call) => {
      const timer = setTimeout(call, ms);
      return () => clearTimeout(timer);
    },
    wall: () => new Date(),
  };
}

/** 21 characters of base 64: 126 random bits, and room for a prefix within 64. */
export function randomText(): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  return Array.from(crypto.getRandomValues(new Uint8Array(21)), (byte) => alphabet[byte & 63]).join("");
}

/** Tabs of another version are in another state: raised when the state or an input changes. */
const MIRROR = 2;

/** Tabs that share one socket: the one that holds the lock leads, and the browser gives it on when that one is gone. */
export function browserTabs(user: string): Tabs {
  const name = `${user}.${MIRROR}`;
  const channel = new BroadcastChannel(name);
  let release: () => void = () => undefined;
  const stop = new AbortController();
  return {
    id: randomText(),
    lead: () =>
      new Promise((leads) => {
        const held = new Promise<void>((resolve) => {
          release = resolve;
        });
        const lock = navigator.locks.request(name, { signal: stop.signal }, () => {
          leads();
          return held;
        });
        lock.catch(() => undefined);
      }),
    post: (message) => channel.postMessage(message),
    listen: (receive) => {
      channel.onmessage = ({ data }: MessageEvent) => receive(data);
    },
    close: () => {
      stop.abort();
      release();
      channel.close();
    },
  };
}

/** One tab, or one program, by itself. */
export function singleTab(): Tabs {
  return {
    id: randomText(),
    lead: () => Promise.resolve(),
    post: () => undefined,
    listen: () => undefined,
    close: () => undefined,
  };
}

/** Whether tabs can share a socket here; without it each has its own. */
export const canShareTabs = (): boolean =>
  typeof BroadcastChannel === "function" && typeof navigator === "object" && "locks" in navigator;
