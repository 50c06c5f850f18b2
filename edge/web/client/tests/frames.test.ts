/** The types of frames against the frames that the server's own tests compare with what it writes. */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { expect, test } from "vitest";

import type { ClientFrame, ServerFrame } from "../src/wire/frames";
import { initial } from "../src/core/state";
import { step } from "../src/core/step";

const samples = (name: string): { type: string }[] =>
  readFileSync(new URL(`../../../../schemas/tests/samples/${name}.jsonl`, import.meta.url), "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as { type: string });

/** What a compiler says of these frames as literals: a field that is missing, wrong, or not known. */
function problems(type: string, frames: readonly unknown[]): string[] {
  const file = fileURLToPath(new URL("../src/wire/samples.ts", import.meta.url));
  const lines = frames.map((frame, i) => `export const f${i}: ${type} = ${JSON.stringify(frame)};`);
  const text = [`import type { ${type} } from "./frames";`, ...lines].join("\n");
  const options: ts.CompilerOptions = {
    ...{ strict: true, exactOptionalPropertyTypes: true, noEmit: true, types: [], skipLibCheck: true },
    ...{ module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler, target: ts.ScriptTarget.ES2023 },
  };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  host.fileExists = (name) => name === file || fileExists(name);
  host.getSourceFile = (name, ...rest) =>
    name === file ? ts.createSourceFile(name, text, ts.ScriptTarget.ES2023) : getSourceFile(name, ...rest);
  const program = ts.createProgram([file], options, host);
  return ts.getPreEmitDiagnostics(program).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, " "));
}

test("every frame of the server has the fields that its type has, and no other", () => {
  const frames = samples("server_frames");
  expect(frames.length).toBeGreaterThan(25);
  expect(problems("ServerFrame", frames)).toEqual([]);
  expect(problems("ServerFrame", [{ ...frames[0], another: 1 }])).not.toEqual([]);
});

test("there is a type for every kind of frame, and for no other", () => {
  const server: Record<ServerFrame["type"], true> = {
    ...{ welcome: true, ack: true, error: true, joined: true, "read:ack": true, "resume:gap": true, "resume:done": true },
    ...{ pong: true, heads: true, goodbye: true, presence: true, typing: true, "read:receipt": true },
    ...{ "message:new": true, "message:edited": true, "message:deleted": true, "reaction:changed": true },
    ...{ "member:changed": true, "conversation:updated": true, "conversation:added": true, "conversation:removed": true },
  };
  const client: Record<ClientFrame["type"], true> = {
    ...{ hello: true, send: true, edit: true, delete: true, react: true, join: true, leave: true, typing: true },
    ...{ read: true, resume: true, ping: true, token: true },
  };
  const kinds = (name: string): string[] => [...new Set(samples(name).map(({ type }) => type))].sort();
  expect(kinds("server_frames")).toEqual(Object.keys(server).sort());
  expect(kinds("client_frames")).toEqual(Object.keys(client).sort());
});

test("a frame at any time, in any state of the connection, is taken or ignored", () => {
  let state = initial("laptop");
  const inputs = [
    { type: "start" },
    { type: "token", token: "t", expiresInMs: 900_000 },
    { type: "opened", socket: 1 },
    ...samples("server_frames").map((frame) => ({ type: "frame", socket: 1, frame })),
  ] as Parameters<typeof step>[1][];
  for (const input of inputs) {
    for (const frame of samples("server_frames")) {
      const early = { type: "frame", socket: state.socket, frame } as Parameters<typeof step>[1];
      expect(() => step(state, early, { now: 0, random: 0 })).not.toThrow();
    }
    ({ state } = step(state, input, { now: 0, random: 0 }));
  }
  const unknown = { type: "frame", socket: 1, frame: { type: "of:tomorrow", prevSeq: 1 } } as never;
  expect(step(state, unknown, { now: 0, random: 0 }).effects).toEqual([]);
});
