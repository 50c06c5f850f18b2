import { describe, expect, test } from "vitest";

import { boundedPages } from "../src/core/events";
import * as limits from "../src/core/limits";
import { changed, held } from "../src/core/messages";
import { type ConversationState, initial, type Load, type State } from "../src/core/state";
import { change, count, insert, keepNewest, keepOldest, type Held, type Segment } from "../src/core/segments";
import { step } from "../src/core/step";
import { messagesBehind, timeline } from "../src/views";
import type { Command, Effect } from "../src/core/io";
import type { ClientFrame, ServerFrame } from "../src/wire/frames";
import type { Conversation, Message } from "../src/wire/rest";

const message = (seq: number, more: Partial<Message> = {}): Held =>
  held(
    {
      id: `message-${seq}`,
      conversationId: "c",
      seq,
      senderId: "other",
      clientId: null,
      content: "text",
      replyTo: null,
      createdAt: "2026-01-01T00:00:00.000Z",
      editedAt: null,
      deletedAt: null,
      reactions: [],
      ...more,
    },
    seq,
  );
const segment = (after: number, to: number, ...seqs: number[]): Segment => ({
  after,
  to,
  messages: seqs.map((seq) => message(seq)),
});
const shape = (segments: readonly Segment[]): unknown =>
  segments.map(({ after, to, messages }) => [after, to, messages.map(({ seq }) => seq)]);

describe("segments", () => {
  test("a page between two segments makes one of them", () => {
    const apart = [segment(0, 10, 5), segment(20, 30, 25)];
    expect(shape(insert(apart, segment(10, 20, 12)))).toEqual([[0, 30, [5, 12, 25]]]);
  });

  test("a page apart from what is held stays apart", () => {
    expect(shape(insert([segment(20, 30, 25)], segment(0, 10, 5)))).toEqual([
      [0, 10, [5]],
      [20, 30, [25]],
    ]);
  });

  test("of two copies of a message the newer one stays", () => {
    const [joined] = insert([segment(0, 10, 5)], { after: 0, to: 10, messages: [{ ...message(5), content: "new", asOf: 9 }] });
    expect(joined?.messages[0]?.content).toBe("new");
  });

  test("keeping the newest leaves no seam at their end", () => {
    expect(shape(keepNewest([segment(0, 10, 5), segment(20, 30, 21, 25, 28)], 2))).toEqual([[24, 30, [25, 28]]]);
  });

  test("keeping the oldest shows a seam before the live end", () => {
    expect(shape(keepOldest([segment(0, 30, 5, 10, 15, 25)], 3, 1))).toEqual([
      [0, 10, [5, 10]],
      [24, 30, [25]],
    ]);
    expect(shape(keepOldest([segment(0, 10, 5, 8), segment(20, 30, 22, 25, 28)], 3, 2))).toEqual([
      [0, 5, [5]],
      [24, 30, [25, 28]],
    ]);
    // What fits stays in one piece.
    expect(shape(keepOldest([segment(0, 30, 5, 25)], 3, 1))).toEqual([[0, 30, [5, 25]]]);
  });

  test("pages in either direction stay within the bound", () => {
    const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
    const held = [segment(0, 6000, ...numbers(1, 6000)), segment(8000, 9000, ...numbers(8001, 8060))];
    const back = boundedPages(held, true);
    expect(count(back)).toBe(limits.MESSAGES_OPEN);
    // The newest page is what a conversation has at least: without it, it would be loaded and dropped without end.
    expect(back.at(-1)).toMatchObject({ after: 8010, to: 9000 });
    expect(back[0]).toMatchObject({ after: 0, to: 4950 });
    const on = boundedPages(held, false);
    expect(count(on)).toBe(limits.MESSAGES_OPEN);
    expect(on[0]).toMatchObject({ after: 1060, to: 6000 });
  });

  test("a change of what is not held changes nothing", () => {
    const segments = [segment(0, 10, 5)];
    expect(change(segments, 7, (m) => ({ ...m, content: "x" }))).toBe(segments);
  });
});

describe("a message", () => {
  const reacted = (seq: number, userId: string, on: boolean) =>
    ({ type: "reaction:changed", conversationId: "c", seq, prevSeq: 0, target: 5, emoji: "👍", on, at: "", userId }) as const;
  const many = { emoji: "👍", count: 25, me: false, userIds: Array.from({ length: 20 }, (_, i) => `user-${i}`) };

  test("does not count a reaction that its page had already", () => {
    const loaded = { ...message(5, { reactions: [many] }), asOf: 40 };
    expect(changed(loaded, reacted(38, "user-24", true), "me").reactions[0]?.count).toBe(25);
    expect(changed(loaded, reacted(41, "user-25", true), "me").reactions[0]?.count).toBe(26);
  });

  test("names the first users of a reaction and counts the others", () => {
    const after = changed(message(5, { reactions: [many] }), reacted(41, "me", true), "me").reactions[0];
    expect(after).toEqual({ ...many, count: 26, me: true });
    expect(changed(message(5, { reactions: [many] }), reacted(41, "user-22", false), "me").reactions[0]?.count).toBe(24);
  });

  test("gets nothing back once it is deleted", () => {
    const gone = changed(message(5), { ...reacted(9, "u", true), type: "message:deleted" } as never, "me");
    expect(changed(gone, reacted(10, "u", true), "me").reactions).toEqual([]);
  });
});

describe("the timeline", () => {
  test("shows a seam where messages are not known", () => {
    const { items, before } = timeline(withSegments([segment(4, 10, 5), segment(20, 30, 25)]), "c");
    expect(items.map(({ kind }) => kind)).toEqual(["message", "seam", "message"]);
    expect(items[1]).toMatchObject({ after: 10, before: 21 });
    expect(before).toBe(5);
  });

  test("has no key twice when devices use the same clientId", () => {
    const twins = [message(5, { clientId: "1" }), message(7, { clientId: "1" })];
    const { items } = timeline(withSegments([{ after: 0, to: 10, messages: twins }]), "c");
    expect(new Set(items.map(({ key }) => key)).size).toBe(2);
  });

  test("is the same object while nothing of it changes", () => {
    const state = withSegments([segment(0, 10, 5)]);
    expect(timeline({ ...state, attempt: 3 }, "c")).toBe(timeline(state, "c"));
  });
});

describe("the outbox", () => {
  const send = (content: string, clientId: string) =>
    ({ type: "command", ref: "r", command: { type: "send", conversationId: "c", content, clientId, replyTo: null, at: "" } }) as const;
  const code = (state: State, content: string, clientId = "id") =>
    step(state, send(content, clientId), { now: 0, random: 0 }).effects.find(({ type }) => type === "answer");

  test.each([
    ["nothing", ""],
    ["white space", " \n "],
    ["more than the server takes", "é".repeat(4097)],
  ])("refuses %s before it is stored", (_, content) => {
    expect(code(initial("d"), content)).toMatchObject({ code: "invalid" });
  });

  test("refuses a clientId that the server would refuse", () => {
    expect(code(initial("d"), "text", "ü")).toMatchObject({ code: "invalid" });
    expect(code(initial("d"), "text", "x".repeat(65))).toMatchObject({ code: "invalid" });
  });

  test("has a bound", () => {
    let state = initial("d");
    for (let i = 0; i < 1_000; i += 1) ({ state } = step(state, send("text", `id-${i}`), { now: 0, random: 0 }));
    expect(code(state, "text", "one-more")).toMatchObject({ code: "outbox_full" });
  });

  test("takes a command once that another tab repeats", () => {
    const { state } = step(initial("d"), send("text", "id"), { now: 0, random: 0 });
    expect(step(state, send("text", "id"), { now: 0, random: 0 }).state.outbox).toHaveLength(1);
  });
});

describe("the connection", () => {
  test("is tried less and less often while the token cannot be renewed", () => {
    let { state } = step(initial("d"), { type: "start" }, { now: 0, random: 0 });
    const waits: number[] = [];
    for (let i = 0; i < 10; i += 1) {
      const now = state.connection.phase === "waiting" ? state.connection.until : 0;
      ({ state } = step(state, { type: "tick" }, { now, random: 0 }));
      ({ state } = step(state, { type: "tokenFailed", code: "unavailable" }, { now, random: 0 }));
      waits.push(state.connection.phase === "waiting" ? state.connection.until - now : Number.NaN);
    }
    expect(waits).toEqual(waits.toSorted((a, b) => a - b));
    expect(waits.at(-1)).toBe(15_000);
  });

  const failing = (attempts: number, state = step(initial("d"), { type: "start" }, { now: 0, random: 0 }).state): State => {
    for (let i = 0; i < attempts; i += 1) {
      const now = state.connection.phase === "waiting" ? state.connection.until : 0;
      ({ state } = step(state, { type: "tick" }, { now, random: 0 }));
      ({ state } = step(state, { type: "tokenFailed", code: "unavailable" }, { now, random: 0 }));
    }
    return state;
  };

  test.each([
    ["the user asks for it", [{ type: "reconnect" }]],
    ["the network is back", [{ type: "network", online: false }, { type: "network", online: true }]],
  ] as const)("is tried at once when %s, and soon again", (_, inputs) => {
    let state = failing(8);
    const now = 0;
    for (const input of inputs) ({ state } = step(state, input, { now, random: 0 }));
    expect(state.connection.phase).toBe("renewing");
    ({ state } = step(state, { type: "tokenFailed", code: "unavailable" }, { now, random: 0 }));
    expect(state.connection).toMatchObject({ phase: "waiting", until: 250 });
  });

  test("is not tried because the network is gone", () => {
    const { state, effects } = step(failing(3), { type: "network", online: false }, { now: 0, random: 0 });
    expect([state.connection.phase, effects]).toEqual(["waiting", []]);
  });

  test("counts down what is missing while it catches up", () => {
    const restored = { ...withSegments([segment(0, 30, 5)]), epoch: "e", userId: "me" };
    let state = live(restored);
    const list = [...state.loads.values()].find(({ what }) => what.kind === "list") as Load;
    const view = { id: "c", headSeq: 40, readSeq: 0, unreadCount: 4, lastMessage: null, lastActivityAt: "", participantCount: 1 };
    const item: Conversation = { ...view, type: "group", name: "c", role: "member", createdAt: "" };
    const counts: number[] = [];
    const take = (input: Parameters<typeof step>[1]): void => {
      ({ state } = step(state, input, { now: 0, random: 0 }));
      counts.push(messagesBehind(state));
    };
    take({ type: "loaded", key: "list", load: list.startedAt, body: { items: [item], nextCursor: null } });
    for (const [prevSeq, seq] of [[30, 33], [33, 35], [35, 40]] as const) {
      const place = { conversationId: "c", seq, prevSeq };
      take({ type: "frame", socket: 1, frame: { type: "message:new", ...place, message: message(seq) } });
    }
    take({ type: "frame", socket: 1, frame: { type: "resume:done", id: null } });
    expect(counts).toEqual([3, 2, 1, 0, 0]);
    expect(state.connection.phase).toBe("live");
  });

  test.each(["forbidden", "not_found", "a_code_of_tomorrow"])("keeps everything when a renewal is answered %s", (code) => {
    const { state } = step(withSegments([segment(0, 30, 5)]), { type: "start" }, { now: 0, random: 0 });
    const after = step(state, { type: "tokenFailed", code }, { now: 0, random: 0 });
    expect(after.state.connection.phase).toBe("waiting");
    expect(after.effects.map(({ type }) => type)).not.toContain("wipe");
  });
});

/** Welcomed; with copies it is catching up. */
const live = (before = initial("d")): State => {
  let state = before;
  const take = (input: Parameters<typeof step>[1]): void => {
    ({ state } = step(state, input, { now: 0, random: 0 }));
  };
  take({ type: "start" });
  take({ type: "token", token: "t", expiresInMs: 900_000 });
  take({ type: "opened", socket: 1 });
  const limits = { contentBytes: 1, frameBytes: 1, resumePositions: 1, resumeEvents: 1, pendingRequests: 1 };
  const welcome = { userId: "me", sessionId: "s", deviceId: "d", epoch: "e", heartbeatMs: 25_000, serverTime: "", limits };
  take({ type: "frame", socket: 1, frame: { type: "welcome", ...welcome } });
  return state;
};

describe("the mark in an answer", () => {
  const view = { lastActivityAt: "", lastMessage: null, participantCount: 1, createdAt: "", participants: [] };
  const answer = (headSeq: number, readSeq: number): Conversation => ({
    ...{ ...view, id: "c", type: "group", name: "c", role: "member", headSeq, readSeq, unreadCount: headSeq - readSeq },
  });

  /** The conversation after answers, each to what the client asks for by itself. */
  const after = (...answers: Conversation[]): ConversationState => {
    let state = live();
    let now = 0;
    const take = (input: Parameters<typeof step>[1]): void => {
      ({ state } = step(state, input, { now, random: 0 }));
    };
    take({ type: "frame", socket: 1, frame: { type: "conversation:added", conversation: answer(1, 1) } });
    const own = message(2, { senderId: "me" });
    take({ type: "frame", socket: 1, frame: { type: "message:new", conversationId: "c", seq: 2, prevSeq: 1, message: own } });
    take({ type: "command", ref: "r", command: { type: "show", tab: "t", conversationIds: ["c"] } });
    // A mark has crossed the list: the conversation itself is asked for.
    const list = state.loads.get("list") as Load;
    take({ type: "loaded", key: "list", load: list.startedAt, body: { items: [answer(1, 1)], nextCursor: null } });
    for (const body of answers) {
      now += limits.READ_EVERY;
      take({ type: "tick" });
      const { startedAt } = state.loads.get("conversation:c") as Load;
      take({ type: "loaded", key: "conversation:c", load: startedAt, body });
    }
    return state.conversations.get("c") as ConversationState;
  };

  test("does not go back to before a message of the user", () => {
    expect(after(answer(1, 1))).toMatchObject({ readSeq: 2, unread: { count: 0 } });
    expect(after(answer(1, 1), answer(1, 1), answer(2, 2))).toMatchObject({ readSeq: 2, unread: { count: 0 } });
  });

  test("goes back when the next answer has it, too: marked as unread elsewhere", () => {
    expect(after(answer(2, 1))).toMatchObject({ readSeq: 2 });
    expect(after(answer(2, 1), answer(2, 1))).toMatchObject({ readSeq: 1 });
  });
});

describe("a mark that moves while one is under way", () => {
  const view = { lastActivityAt: "", lastMessage: null, participantCount: 1, createdAt: "", participants: [] };
  const conversation: Conversation = { ...view, id: "c", type: "group", name: "c", role: "member", headSeq: 9, readSeq: 0, unreadCount: 9 };

  /** Reads up to 5, then does something else; gives what is sent after the first mark is answered, and the state then. */
  const afterAnswer = (second: Command, answer: (id: number) => ServerFrame): { sent: unknown[]; state: State } => {
    let state = live();
    const take = (input: Parameters<typeof step>[1], now = 0): ClientFrame[] => {
      const next = step(state, input, { now, random: 0 });
      state = next.state;
      return next.effects.flatMap((effect) => (effect.type === "send" ? [effect.frame] : []));
    };
    take({ type: "frame", socket: 1, frame: { type: "conversation:added", conversation } });
    const [first] = take({ type: "command", ref: "1", command: { type: "read", conversationId: "c", seq: 5 } });
    take({ type: "command", ref: "2", command: second });
    const id = first?.type === "read" ? first.id : 0;
    const sent = [...take({ type: "frame", socket: 1, frame: answer(id as number) }), ...take({ type: "tick" }, 10_000)];
    return { state, sent };
  };
  const acked = (id: number): ServerFrame => ({ type: "read:ack", id, conversationId: "c", seq: 5, unreadCount: 4 });
  const refused = (id: number): ServerFrame => ({ type: "error", id, code: "rate_limited", message: "", retryAfterMs: 700 });

  test.each([["acked", acked], ["refused", refused]])("forward is sent when that one is %s, and shown all the time", (_, answer) => {
    const { sent, state } = afterAnswer({ type: "read", conversationId: "c", seq: 9 }, answer);
    expect(sent).toContainEqual(expect.objectContaining({ type: "read", seq: 9 }));
    expect(state.conversations.get("c")).toMatchObject({ readSeq: 9, unread: { count: 0 } });
  });

  test("back is sent when that one is acked, and shown all the time", () => {
    const { sent, state } = afterAnswer({ type: "markUnread", conversationId: "c", seq: 3 }, acked);
    expect(sent).toContainEqual(expect.objectContaining({ type: "read", seq: 3, unread: true }));
    expect(state.conversations.get("c")).toMatchObject({ readSeq: 2 });
  });
});

describe("storage", () => {

  test("has copies of the thirty most active conversations, and of no other", () => {
    let state = live();
    const stored = new Set<string>();
    for (let i = 0; i < 50; i += 1) {
      const id = `c${i}`;
      const at = `2026-01-01T00:00:${String(i).padStart(2, "0")}.000Z`;
      const conversation: Conversation = {
        ...{ id, type: "group" as const, name: id, role: "member" as const, createdAt: at, headSeq: 1, readSeq: 1 },
        ...{ unreadCount: 0, lastActivityAt: at, lastMessage: null, participantCount: 1 },
      };
      for (const [now, input] of [
        [i * 2_000, { type: "frame", socket: 1, frame: { type: "conversation:added", conversation } }],
        [i * 2_000 + 1_500, { type: "frame", socket: 1, frame: { type: "pong", id: null, serverTime: "" } }],
      ] as const) {
        const next = step(state, input, { now, random: 0 });
        state = next.state;
        for (const effect of next.effects) {
          if (effect.type === "saveCopy") stored.add(effect.copy.id);
          if (effect.type === "forgetCopy") stored.delete(effect.conversationId);
        }
      }
    }
    expect([...stored].sort()).toEqual(Array.from({ length: 30 }, (_, i) => `c${i + 20}`).sort());
  });

  test("a conversation that is not found is known as such, and is not asked for again and again", () => {
    const show: Command = { type: "show", tab: "t", conversationIds: ["gone"] };
    const asked = step(live(), { type: "command", ref: "r", command: show }, { now: 0, random: 0 });
    expect(asked.effects).toContainEqual(expect.objectContaining({ type: "load", key: "conversation:gone" }));
    const { load } = asked.effects.find((effect) => effect.type === "load") as Extract<Effect, { type: "load" }>;
    const input = { type: "loadFailed", key: "conversation:gone", load, code: "not_found" } as const;
    const after = step(asked.state, input, { now: 0, random: 0 });
    expect(after.state.conversations.has("gone")).toBe(false);
    expect(after.state.loads.get("conversation:gone")).toMatchObject({ status: "failed", code: "not_found" });
    expect(after.effects.map(({ type }) => type)).not.toContain("load");
  });
});

function withSegments(segments: Segment[]): State {
  const { state } = step(
    initial("d"),
    {
      type: "restored",
      meta: null,
      outbox: [],
      copies: [
        {
          id: "c",
          info: null,
          position: 30,
          segments,
          lastMessage: null,
          lastActivityAt: "",
          readSeq: 0,
          readVersion: 0,
          unread: { count: 0, asOf: 0 },
          wish: null,
        },
      ],
    },
    { now: 0, random: 0 },
  );
  return state;
}
