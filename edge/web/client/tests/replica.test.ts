/** Tabs, and a driver whose surroundings fail: against the model server, on the real clock. */

import { describe, expect, test } from "vitest";

import {
  Account,
  ApiError,
  type Auth,
  type Clock,
  memoryStorage,
  NatterClient,
  type Ports,
  type Storage,
  systemClock,
  timeline,
} from "../src/index";
import { ANSWERS_WITHIN } from "../src/storage/bounded";
import type { ClientFrame } from "../src/wire/frames";
import { nodePorts, until } from "./program";
import { ModelServer, type ServerSocket } from "./server";
import { Browser } from "./tabs";

const ROOM = "general";

class World {
  readonly server = new ModelServer([ROOM], "me");
  readonly browser = new Browser();
  readonly storage: Storage = memoryStorage();
  readonly auth: Auth = { renew: async () => ({ token: "token", expiresInMs: 900_000 }) };
  sockets = 0;

  client(name: string, more: Partial<Ports> = {}, auth = this.auth): NatterClient {
    const ports = { ...nodePorts(), storage: this.storage, fetch: this.fetch, openSocket: this.openSocket, ...more };
    const client = new NatterClient({ base: "http://model", auth, ports: this.browser.ports(name, ports) });
    void client.start();
    return client;
  }

  private readonly fetch: typeof fetch = async (url) => {
    const { pathname, searchParams } = new URL(String(url));
    const seq = (name: string): number | null => (searchParams.has(name) ? Number(searchParams.get(name)) : null);
    if (pathname === "/api/conversations") return Response.json(this.server.list());
    if (pathname === "/api/messages") return Response.json(this.server.page(ROOM, seq("before"), seq("after")));
    if (pathname === "/api/inbox") return Response.json(this.server.inbox());
    return Response.json(this.server.conversation(ROOM));
  };

  private readonly openSocket: Ports["openSocket"] = (_url, _protocol, events) => {
    this.sockets += 1;
    const socket: ServerSocket = { user: "me", device: "", out: [], isWelcomed: false };
    let isClosed = false;
    // What others do arrives as well.
    const pump = setInterval(() => {
      for (let frame = socket.out.shift(); frame && !isClosed; frame = socket.out.shift()) {
        events.message(JSON.stringify(frame));
      }
    }, 1);
    setTimeout(() => !isClosed && events.opened(), 1);
    return {
      send: (text) => this.server.take(socket, JSON.parse(text) as ClientFrame),
      close: () => {
        isClosed = true;
        this.server.sockets.delete(socket);
        clearInterval(pump);
      },
    };
  };

  texts(client: NatterClient): (string | null)[] {
    return timeline(client.state, ROOM).items.flatMap((item) => (item.kind === "message" ? [item.message.content] : []));
  }

  stored(): (string | null)[] {
    return [...this.server.room(ROOM).messages.values()].map(({ content }) => content);
  }
}

const isLive = (client: NatterClient): boolean => client.state.connection.phase === "live" && client.state.list.loaded;

describe("tabs", () => {
  test("share one socket, and show the same", async () => {
    const world = new World();
    const tabs = ["one", "two", "three"].map((name) => world.client(name));
    for (const tab of tabs) {
      await until(() => isLive(tab), "every tab is live");
      tab.open(ROOM);
    }
    expect(world.sockets).toBe(1);
    await Promise.all(tabs.map((tab, i) => tab.send(ROOM, `from ${i}`)));
    world.server.post(ROOM, "other", "from another", null);
    for (const tab of tabs) {
      await until(() => world.texts(tab).length === 4 && tab.state.outbox.length === 0, "every tab has all of them");
      expect(world.texts(tab)).toEqual(world.stored());
    }
    const [first, ...others] = tabs;
    const isSame = (): boolean => others.every((tab) => tab.state.inputs === first?.state.inputs);
    await until(isSame, "every input has reached every tab");
    for (const other of others) expect(other.state).toEqual(first?.state);
  });

  test("a refused change says in every tab how long to wait", async () => {
    const world = new World();
    const tabs = ["one", "two"].map((name) => world.client(name));
    for (const tab of tabs) await until(() => isLive(tab), "every tab is live");
    const { seq } = world.server.post(ROOM, "me", "before", null);
    for (const tab of tabs) {
      world.server.refuseNext = { code: "rate_limited", retryAfterMs: 700 };
      await expect(tab.edit(ROOM, seq, "after")).rejects.toMatchObject({ code: "rate_limited", retryAfterMs: 700 });
      await expect(tab.edit("elsewhere", seq, "after")).rejects.toMatchObject({ code: "not_found", retryAfterMs: null });
    }
  });

  test("take over one after the other, and nothing is sent twice or lost", async () => {
    const world = new World();
    const names = ["one", "two", "three", "four"];
    const tabs = names.map((name) => world.client(name));
    for (const tab of tabs) await until(() => isLive(tab), "every tab is live");
    const last = tabs.at(-1) as NatterClient;
    const [all, ofLast]: [string[], string[]] = [[], []];
    for (const [i, name] of names.slice(0, -1).entries()) {
      for (const tab of tabs.slice(i + 1)) {
        for (let n = 0; n < 5; n += 1) {
          const text = `message ${all.length}`;
          all.push(text);
          if (tab === last) ofLast.push(text);
          void tab.send(ROOM, text);
        }
      }
      // By now some may have reached the tab that leads, some the server, some neither.
      await new Promise((resolve) => setTimeout(resolve, i));
      world.browser.kill(name);
    }
    last.open(ROOM);
    await until(() => last.leads && isLive(last), "the last one leads");
    await until(() => last.state.outbox.length === 0 && ofLast.every((t) => world.stored().includes(t)), "all are sent");
    // What a killed tab had not passed on is gone with it. Whatever arrived did so once, and in its tab's order.
    expect(new Set(world.stored()).size).toBe(world.stored().length);
    expect(world.stored().filter((text) => ofLast.includes(text ?? ""))).toEqual(ofLast);
    await until(() => world.texts(last).length === world.stored().length, "the last one shows them");
  });

  test("a message that only the killed tab and its own tab knew is sent by the next", async () => {
    const world = new World();
    const never = new Promise<void>(() => undefined);
    const put: Storage["put"] = (key, value) => (key.startsWith("send/") ? never : world.storage.put(key, value));
    world.client("one", { storage: { ...world.storage, put } });
    const [two, three] = [world.client("two"), world.client("three")];
    for (const tab of [two, three]) await until(() => isLive(tab), "every tab is live");
    world.browser.deafen("two", true);
    await three.send(ROOM, "known to few");
    world.browser.kill("one");
    world.browser.deafen("two", false);
    await until(() => two.leads && isLive(two), "the second tab leads");
    await until(() => world.stored().length === 1 && two.state.outbox.length === 0, "the message is sent");
    expect(world.stored()).toEqual(["known to few"]);
  });

  test("a tab that closes hands over at once", async () => {
    const world = new World();
    const [first, second] = [world.client("one"), world.client("two")];
    await until(() => isLive(first) && isLive(second), "both are live");
    await first.close();
    await until(() => second.leads && isLive(second), "the other one is live", 2_000);
    expect(world.sockets).toBe(2);
  });

  test("sign out even before a tab leads", async () => {
    const world = new World();
    const client = world.client("one");
    client.signOut();
    await until(() => client.state.connection.phase === "stopped" && client.leads, "it stops");
    await client.close();
    expect([client.state.connection, world.sockets]).toEqual([{ phase: "stopped", reason: "signedOut" }, 0]);
  });

  test("sign out together, and nothing stays in storage", async () => {
    const world = new World();
    const [first, second] = [world.client("one"), world.client("two")];
    await until(() => isLive(first) && isLive(second), "both are live");
    await until(async () => (await world.storage.scan("")).length > 0, "something is stored");
    second.signOut();
    for (const tab of [first, second]) {
      await until(() => tab.state.connection.phase === "stopped", "both stop");
      expect(tab.state.conversations.size).toBe(0);
    }
    await until(async () => (await world.storage.scan("")).length === 0, "storage is empty");
  });
});

describe("a client", () => {
  test("sends without storage, and says that it is not stored", async () => {
    const world = new World();
    const fail = async (): Promise<never> => {
      throw new Error("the disk is full");
    };
    const storage: Storage = { get: fail, put: fail, delete: fail, scan: fail, clear: fail };
    const client = world.client("one", { storage });
    await until(() => isLive(client), "it is live");
    client.open(ROOM);
    const seen = new Set<boolean>();
    client.subscribe(() => client.state.outbox.forEach(({ unsaved }) => seen.add(unsaved)));
    await client.send(ROOM, "not stored");
    await until(() => world.texts(client).includes("not stored"), "it arrives");
    expect(seen).toContain(true);
  });

  test("sends although storage never answers", async () => {
    const world = new World();
    const never = (): Promise<never> => new Promise(() => undefined);
    const storage: Storage = { get: never, put: never, delete: never, scan: never, clear: never };
    const clock = systemClock();
    const after: Clock["after"] = (ms, call) => clock.after(ms === ANSWERS_WITHIN ? 20 : ms, call);
    const client = world.client("one", { storage, clock: { ...clock, after } });
    await until(() => isLive(client), "it is live");
    client.open(ROOM);
    await client.send(ROOM, "not stored");
    await until(() => world.texts(client).includes("not stored"), "it arrives");
  });

  test("stores a message before it sends it", async () => {
    const world = new World();
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const storage: Storage = {
      ...world.storage,
      put: async (key, value) => {
        if (key.startsWith("send/")) await held;
        await world.storage.put(key, value);
      },
    };
    const client = world.client("one", { storage });
    await until(() => isLive(client), "it is live");
    await client.send(ROOM, "stored first");
    await client.call("GET", "/api/conversations");
    expect([world.stored(), client.state.outbox[0]?.status]).toEqual([[], "saving"]);
    release();
    await until(() => world.stored().length === 1, "it is sent");
  });

  test("waits when its token cannot be renewed now, and stops when it never can", async () => {
    const world = new World();
    const failures = [new ApiError("unavailable", 503, 10, null), new ApiError("bad_credentials", 401, null, null)];
    const auth: Auth = {
      renew: async () => {
        throw failures.shift() ?? new Error("asked again");
      },
    };
    const client = world.client("one", {}, auth);
    await until(() => client.state.connection.phase === "stopped" && failures.length === 0, "it stops");
    expect(client.state.connection).toEqual({ phase: "stopped", reason: "sessionEnded" });
  });

  test("begins its clientIds with the newest prefix it was given", async () => {
    const world = new World();
    const client = world.client("one");
    await until(() => isLive(client), "it is live");
    expect(await client.send(ROOM, "one")).toMatch(/^first-[\w-]{21}$/);
    await until(() => client.state.outbox.length === 0, "it is acked");
    expect(await client.send(ROOM, "two")).toMatch(/^second-[\w-]{21}$/);
  });

  test("waits, and wipes nothing, while a proxy answers in place of the server", async () => {
    const world = new World();
    const page = async (): Promise<Response> => new Response("<h1>Log in to this network</h1>", { status: 403 });
    const client = world.client("one", {}, new Account("http://model", page, { keepRefreshToken: true }));
    await until(() => client.state.connection.phase === "waiting", "it waits");
    expect(client.state.connection).toMatchObject({ code: "unavailable" });
  });

  test("refuses changes while it is not connected", async () => {
    const world = new World();
    const client = world.client("one", { openSocket: () => ({ send: () => undefined, close: () => undefined }) });
    await until(() => client.state.connection.phase === "connecting", "it connects");
    await expect(client.edit(ROOM, 1, "text")).rejects.toMatchObject({ code: "disconnected" });
  });
});
