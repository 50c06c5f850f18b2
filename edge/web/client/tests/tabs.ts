/** Tabs of one browser in one process: one lock, one channel. A tab can be killed without a chance to say so. */

import type { Ports, SocketPort, Tabs } from "../src/ports";

export class Browser {
  private readonly tabs: { id: string; receive: (message: unknown) => void; isDead: boolean; isDeaf: boolean }[] = [];
  private readonly waiting: { id: string; leads: () => void }[] = [];
  private leader: string | null = null;
  private readonly sockets = new Map<string, SocketPort>();

  /** What a tab has: its sockets and its answers end with it. */
  ports(id: string, ports: Ports): Ports {
    const tab = this.tab(id);
    const isDead = (): boolean => this.tabs.some((known) => known.id === id && known.isDead);
    return {
      ...ports,
      tabs: tab,
      openSocket: (url, protocol, events) => {
        const alive = (call: () => void) => (isDead() ? undefined : call());
        const socket = ports.openSocket(url, protocol, {
          opened: () => alive(() => events.opened()),
          message: (text) => alive(() => events.message(text)),
          closed: (code) => alive(() => events.closed(code)),
        });
        const port: SocketPort = { send: (text) => alive(() => socket.send(text)), close: () => socket.close() };
        this.sockets.set(id, port);
        return port;
      },
      fetch: (...call) => (isDead() ? new Promise<Response>(() => undefined) : ports.fetch(...call)),
      storage: {
        ...ports.storage,
        put: (key, value) => (isDead() ? new Promise<void>(() => undefined) : ports.storage.put(key, value)),
        delete: (key) => (isDead() ? new Promise<void>(() => undefined) : ports.storage.delete(key)),
      },
    };
  }

  private tab(id: string): Tabs {
    const tab = { id, receive: (_: unknown): void => undefined, isDead: false, isDeaf: false };
    this.tabs.push(tab);
    return {
      id,
      lead: () =>
        new Promise((leads) => {
          this.waiting.push({ id, leads });
          this.grant();
        }),
      post: (message) => {
        if (tab.isDead) return;
        const copy = structuredClone(message);
        for (const other of this.tabs) {
          if (other === tab || other.isDeaf) continue;
          queueMicrotask(() => !other.isDead && other.receive(structuredClone(copy)));
        }
      },
      listen: (receive) => {
        tab.receive = receive;
      },
      close: () => this.kill(id),
    };
  }

  /** The tab gets no message any more, until it does again. */
  deafen(id: string, isDeaf: boolean): void {
    for (const tab of this.tabs) if (tab.id === id) tab.isDeaf = isDeaf;
  }

  /** The tab is gone: its lock is free, and it neither sends nor receives. */
  kill(id: string): void {
    for (const tab of this.tabs) if (tab.id === id) tab.isDead = true;
    this.sockets.get(id)?.close();
    const at = this.waiting.findIndex((waiting) => waiting.id === id);
    if (at >= 0) this.waiting.splice(at, 1);
    if (this.leader === id) this.leader = null;
    this.grant();
  }

  private grant(): void {
    if (this.leader !== null) return;
    const next = this.waiting.shift();
    if (!next) return;
    this.leader = next.id;
    queueMicrotask(next.leads);
  }
}
