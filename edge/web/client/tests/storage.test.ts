import "fake-indexeddb/auto";
import { describe, expect, test } from "vitest";

import { indexedDbStorage } from "../src/storage/indexeddb";
import { memoryStorage } from "../src/storage/memory";

let names = 0;

describe.each([
  ["IndexedDB", () => indexedDbStorage(`storage-${(names += 1)}`)],
  ["memory", () => memoryStorage()],
])("storage in %s", (_, make) => {
  test("gives back what was put, until it is deleted", async () => {
    const storage = make();
    await storage.put("a", { text: "ü", list: [1, 2] });
    expect(await storage.get("a")).toEqual({ text: "ü", list: [1, 2] });
    await storage.put("a", 2);
    expect(await storage.get("a")).toBe(2);
    await storage.delete("a");
    expect(await storage.get("a")).toBeUndefined();
  });

  test("scans one prefix, in the order of the keys", async () => {
    const storage = make();
    for (const key of ["send/2", "copy/1", "send/10", "sender", "send/1"]) await storage.put(key, key);
    expect(await storage.scan("send/")).toEqual(["send/1", "send/10", "send/2"]);
  });

  test("keeps its own copy of a value", async () => {
    const storage = make();
    const value = { list: [1] };
    await storage.put("a", value);
    value.list.push(2);
    expect(await storage.get("a")).toEqual({ list: [1] });
  });

  test("is empty once it is cleared", async () => {
    const storage = make();
    await storage.put("a", 1);
    await storage.clear();
    expect(await storage.scan("")).toEqual([]);
  });
});

test("what was put into IndexedDB is there after a reload", async () => {
  await indexedDbStorage("reloaded").put("a", 1);
  expect(await indexedDbStorage("reloaded").get("a")).toBe(1);
});
