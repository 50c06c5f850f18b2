/** The client against the real program. */

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { conversationList, type Conversation, type MessagePage, timeline } from "../src/index";
import { connect, nodePorts, type Person, person, Program, until } from "./program";
import { Browser } from "./tabs";

const program = new Program();
beforeAll(() => program.start());
afterAll(() => program.stop());

const texts = ({ client }: Pick<Person, "client">, id: string): (string | null)[] =>
  timeline(client.state, id).items.flatMap((item) => (item.kind === "message" ? [item.message.content] : []));

async function group(owner: Person, ...members: Person[]): Promise<string> {
  const body = { type: "group", name: "General", participantIds: members.map(({ id }) => id) };
  const { id } = await owner.client.call<Conversation>("POST", "/api/conversations", { body });
  for (const { client } of [owner, ...members]) {
    await until(() => client.state.conversations.get(id)?.info != null, "everyone sees the new group");
    client.open(id);
    await until(() => client.state.conversations.get(id)?.joined === "yes", "everyone has joined it");
  }
  return id;
}

async function history({ client }: Person, id: string): Promise<MessagePage> {
  return client.call<MessagePage>("GET", `/api/messages?conversationId=${id}&limit=100`);
}

/** What is shown is what the server has. */
async function expectHistory(people: Person[], id: string): Promise<void> {
  for (const who of people) {
    const page = await history(who, id);
    await until(() => (who.client.state.conversations.get(id)?.position ?? 0) >= page.headSeq, "everything has arrived");
    const shown = timeline(who.client.state, id).items.map((item) => {
      if (item.kind !== "message") return item;
      const { asOf: _, ...message } = item.message as never as { asOf: number };
      return message;
    });
    expect(shown).toEqual(page.items);
  }
}

describe("with the real program", () => {
  test("two people talk: both show what the server has", async () => {
    const [alice, bob] = [await person(program.base, "alice"), await person(program.base, "bob")];
    const id = await group(alice, bob);
    for (let i = 0; i < 5; i += 1) await alice.client.send(id, `message ${i}`);
    await until(() => texts(bob, id).length === 5, "bob has all of them");
    const [first, second, third] = (await history(bob, id)).items.map(({ seq }) => seq) as [number, number, number];
    await alice.client.edit(id, first, "edited");
    await alice.client.delete(id, second);
    await bob.client.react(id, third, "👍", true);
    await bob.client.send(id, "an answer", third);
    await until(() => texts(alice, id).length === 6, "alice has the answer");
    await expectHistory([alice, bob], id);
    expect(alice.client.state.outbox).toEqual([]);
    await expect(bob.client.edit(id, first, "not mine")).rejects.toMatchObject({ code: "forbidden" });
  });

  test("unread and read marks are the same on both devices of a user", async () => {
    const [alice, bob] = [await person(program.base, "alice"), await person(program.base, "bob")];
    const id = await group(alice, bob);
    const laptop: Person = { ...bob, client: connect(program.base, bob.account) };
    await until(() => laptop.client.state.conversations.get(id)?.info != null, "the laptop is there");
    const unread = ({ client }: Person): number | undefined => client.state.conversations.get(id)?.unread.count;
    for (let i = 0; i < 3; i += 1) await alice.client.send(id, `message ${i}`);
    await until(() => unread(bob) === 3 && unread(laptop) === 3, "three are unread on both");
    const seqs = (await history(bob, id)).items.map(({ seq }) => seq) as [number, number, number];
    await bob.client.read(id, seqs[1]);
    await until(() => unread(bob) === 1 && unread(laptop) === 1, "one is unread on both");
    await until(() => alice.client.state.conversations.get(id)?.reads[bob.id] === seqs[1], "alice sees how far bob is");
    await laptop.client.markUnread(id, seqs[0]);
    await until(() => unread(bob) === 3 && unread(laptop) === 3, "all are unread again");
    await bob.client.send(id, "read all of it");
    await until(() => unread(bob) === 0 && unread(laptop) === 0, "who answers has read");
  });

  test("messages sent while the server is away arrive once and in order", async () => {
    const own = await new Program().start();
    try {
      const [alice, bob] = [await person(own.base, "alice"), await person(own.base, "bob")];
      const id = await group(alice, bob);
      const wanted: string[] = [];
      const send = async (text: string): Promise<void> => {
        wanted.push(text);
        await alice.client.send(id, text);
      };
      for (let i = 0; i < 20; i += 1) await send(`before ${i}`);
      // With some acked, some under way, some not sent.
      await own.kill();
      await until(() => alice.client.state.connection.phase !== "live", "alice sees that it is gone");
      for (let i = 0; i < 20; i += 1) await send(`while away ${i}`);
      expect(alice.client.state.outbox.length).toBeGreaterThanOrEqual(20);
      await own.start();
      await until(() => texts(bob, id).length >= wanted.length, "bob has all of them", 40_000, () => bob.client.state.connection);
      expect(texts(bob, id)).toEqual(wanted);
      await expectHistory([alice, bob], id);
      expect(alice.client.state.outbox).toEqual([]);
    } finally {
      await own.stop();
    }
  });

  test("history loads backward page by page, and around a message behind a seam", async () => {
    const [alice, bob] = [await person(program.base, "alice"), await person(program.base, "bob")];
    const id = await group(alice, bob);
    for (let i = 0; i < 150; i += 1) await alice.client.send(id, `message ${i}`);
    await until(() => texts(bob, id).length === 150, "bob has all of them", 30_000);
    const reader: Person = { ...bob, client: connect(program.base, bob.account) };
    reader.client.open(id);
    await until(() => texts(reader, id).length >= 20, "the newest page is there");
    const firstPage = await reader.client.call<MessagePage>("GET", `/api/messages?conversationId=${id}&after=0&limit=10`);
    await reader.client.loadAround(id, firstPage.items[9]?.seq ?? 0);
    await until(() => texts(reader, id).includes("message 20"), "what is around the message is there");
    expect(timeline(reader.client.state, id).items.some(({ kind }) => kind === "seam")).toBe(true);
    await until(async () => {
      const { items, before } = timeline(reader.client.state, id);
      const seam = items.find(({ kind }) => kind === "seam");
      if (seam?.kind === "seam") await reader.client.loadNewer(id, seam.after);
      else if (before !== null) await reader.client.loadOlder(id, before);
      return seam === undefined && before === null;
    }, "everything is loaded");
    expect(texts(reader, id)).toEqual(Array.from({ length: 150 }, (_, i) => `message ${i}`));
  });

  test("a tab takes over when the one with the socket is killed", async () => {
    const browser = new Browser();
    const ports = nodePorts();
    const [alice, bob] = [
      await person(program.base, "alice", browser.ports("first", ports)),
      await person(program.base, "bob"),
    ];
    const id = await group(alice, bob);
    const second: Person = { ...alice, client: connect(program.base, alice.account, browser.ports("second", ports)) };
    await until(() => second.client.state.connection.phase === "live", "the second tab shows what the first has");
    expect([alice.client.leads, second.client.leads]).toEqual([true, false]);
    second.client.open(id);
    await second.client.send(id, "from the second tab");
    await until(() => texts(bob, id).length === 1, "what the second tab sends goes out through the first");
    void alice.client.send(id, "under way");
    browser.kill("first");
    const killed = performance.now();
    await second.client.send(id, "after the first is gone");
    await until(() => second.client.leads && second.client.state.connection.phase === "live", "the second is live");
    expect(performance.now() - killed).toBeLessThan(2_000);
    await until(() => texts(bob, id).length === 3, "nothing is lost");
    expect(texts(bob, id)).toEqual(["from the second tab", "under way", "after the first is gone"]);
    await until(() => texts(second, id).length === 3, "and shown here");
    expect(conversationList(second.client.state).map((c) => c.id)).toContain(id);
  });

  test("a page that is reloaded sends what it has stored, once", async () => {
    const { storage } = nodePorts();
    const [alice, bob] = [await person(program.base, "alice", { storage }), await person(program.base, "bob")];
    const id = await group(alice, bob);
    for (let i = 0; i < 10; i += 1) await alice.client.send(id, `message ${i}`);
    // Some are acked by now, some are not: the page is gone without a word to anyone.
    await alice.client.close();
    const again: Person = { ...alice, client: connect(program.base, alice.account, { storage }) };
    again.client.open(id);
    await until(() => texts(bob, id).length >= 10, "all of them arrive");
    await until(() => again.client.state.outbox.length === 0 && texts(again, id).length >= 10, "and are shown");
    const wanted = Array.from({ length: 10 }, (_, i) => `message ${i}`);
    expect([texts(bob, id), texts(again, id)]).toEqual([wanted, wanted]);
  });

  test("a session that is ended elsewhere stops its clients, and wipes them", async () => {
    const { storage } = nodePorts();
    const [alice, bob] = [await person(program.base, "alice", { storage }), await person(program.base, "bob")];
    await group(alice, bob);
    await alice.client.call("POST", "/api/auth/logout-all");
    const { client } = alice;
    await until(() => client.state.connection.phase === "stopped", "it stops", 5_000, () => client.state.connection);
    expect(client.state.connection).toEqual({ phase: "stopped", reason: "sessionEnded" });
    expect(client.state.conversations.size).toBe(0);
    await until(async () => (await storage.scan("")).length === 0, "storage is empty");
  });
});
