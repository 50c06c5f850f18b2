/**
 * The machine takes again what a client met at the real program. `npm run record` records again, with the program named in
 * NATTER_BINARY, when the contract has changed.
 */

import { readFileSync, writeFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";

import type { Input } from "../src/core/io";
import { initial, type State } from "../src/core/state";
import { step } from "../src/core/step";
import { type Conversation, type MessagePage, timeline } from "../src/index";
import { person, Program, until } from "./program";
import { type Recording, recordingTab } from "./recording";

const FILE = new URL("./recordings/dev.json", import.meta.url);

if (process.env["RECORD"]) test("records a day at the real program", record);

async function record(): Promise<void> {
  const program = await new Program().start();
  try {
    const steps: Recording["steps"] = [];
    const alice = await person(program.base, "alice", { tabs: recordingTab(steps) });
    const bob = await person(program.base, "bob");
    const carol = await person(program.base, "carol");
    const make = async (body: object): Promise<string> =>
      (await bob.client.call<Conversation>("POST", "/api/conversations", { body })).id;
    const room = await make({ type: "group", name: "General", participantIds: [alice.id] });
    const direct = await make({ type: "direct", participantIds: [alice.id] });
    const state = (): State => alice.client.state;
    await until(() => state().conversations.size === 2, "alice is in both");
    const close = alice.client.open(room);
    bob.client.open(room);
    await until(() => bob.client.state.conversations.get(room)?.joined === "yes", "bob has joined");
    const seqs = async (): Promise<number[]> =>
      (await bob.client.call<MessagePage>("GET", `/api/messages?conversationId=${room}&limit=100`)).items.map((m) => m.seq);
    for (let i = 0; i < 6; i += 1) await bob.client.send(room, `message ${i}`);
    await until(async () => (await seqs()).length === 6, "they are stored");
    const [a, b, c, d] = (await seqs()) as [number, number, number, number];
    await bob.client.edit(room, a, "edited");
    await bob.client.delete(room, b);
    await bob.client.typing(room, true);
    await alice.client.send(room, "an answer", c);
    for (const who of [alice, bob]) await who.client.react(room, d, "👍", true);
    await bob.client.react(room, d, "👍", false);
    await bob.client.call("POST", `/api/conversations/${room}/participants`, { body: { userIds: [carol.id] } });
    await bob.client.call("PATCH", `/api/conversations/${room}`, { body: { name: "Another name" } });
    await bob.client.send(direct, "for you alone");
    await until(() => state().conversations.get(direct)?.unread.count === 1, "alice has it");
    await until(() => state().outbox.length === 0, "alice's is acked");
    await alice.client.read(room, d);
    // The server is away for a moment; more happens before alice is back than she sees live.
    await program.kill();
    await alice.client.send(room, "written while it was away");
    await bob.client.send(room, "also written while it was away");
    await program.start();
    const all = 9;
    await until(async () => (await seqs().catch(() => [])).length === all, "both arrive", 40_000);
    close();
    const histories: Recording["histories"] = {};
    const unread: Recording["unread"] = {};
    for (const id of [room, direct]) {
      const page = await alice.client.call<MessagePage>("GET", `/api/messages?conversationId=${id}&limit=100`);
      await until(() => (state().conversations.get(id)?.position ?? 0) >= page.headSeq, "alice has everything");
      histories[id] = page.items;
      unread[id] = (await alice.client.call<Conversation>("GET", `/api/conversations/${id}`)).unreadCount;
    }
    const { deviceId } = state();
    await until(() => state().loads.size === 0, "nothing is on its way");
    const recording: Recording = { deviceId, me: alice.id, steps: [...steps], histories, unread };
    const lines = recording.steps.map((taken) => JSON.stringify(taken)).join(",\n");
    writeFileSync(FILE, JSON.stringify({ ...recording, steps: "STEPS" }).replace('"STEPS"', () => `[\n${lines}\n]`) + "\n");
  } finally {
    await program.stop();
  }
}

const load = (): Recording => JSON.parse(readFileSync(FILE, "utf8")) as Recording;

function replay({ deviceId, steps }: Recording, again: (index: number) => boolean = () => false): State {
  let state = initial(deviceId);
  steps.forEach(({ input, env }, i) => {
    ({ state } = step(state, input, env));
    if (again(i)) ({ state } = step(state, input, env));
  });
  return state;
}

function expectHistory(state: State, { histories, unread }: Recording): void {
  for (const [id, history] of Object.entries(histories)) {
    const shown = timeline(state, id).items.map((item) => {
      if (item.kind !== "message") return item;
      const { asOf: _, ...message } = item.message as never as { asOf: number };
      return message;
    });
    expect(shown).toEqual(history.slice(history.length - shown.length));
    expect(shown.length).toBeGreaterThan(0);
    expect([id, state.conversations.get(id)?.unread.count]).toEqual([id, unread[id]]);
  }
}

test("what was met at the real program ends in what the program had", () => {
  const recording = load();
  expect(recording.steps.length).toBeGreaterThan(40);
  expectHistory(replay(recording), recording);
});

test("events and marks that arrive twice change nothing", () => {
  const recording = load();
  const twice = (input: Input): boolean =>
    input.type === "frame" && ("prevSeq" in input.frame || input.frame.type === "read:receipt");
  fc.assert(
    fc.property(fc.infiniteStream(fc.boolean()), (coins) => {
      const state = replay(recording, (i) => {
        const input = recording.steps[i]?.input;
        return input !== undefined && twice(input) && coins.next().value === true;
      });
      expectHistory(state, recording);
    }),
    { numRuns: 50 },
  );
});
