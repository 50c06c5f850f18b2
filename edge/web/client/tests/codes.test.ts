import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

import { afterClose, afterError, KNOWN_CODES } from "../src/wire/codes";

/** Rows of docs/failures.md: code, close code, what a client does. */
const rows = readFileSync(new URL("../../../../docs/failures.md", import.meta.url), "utf8")
  .split("\n")
  .map((line) => line.split("|").map((cell) => cell.trim()))
  .filter((cells) => cells[1]?.startsWith("`"))
  .map((cells) => ({ code: cells[1]?.replaceAll("`", "") ?? "", close: cells[3] ?? "", action: cells[5] ?? "" }));

test("the client knows every code that a server answers with, and no other", () => {
  expect(rows.length).toBeGreaterThan(20);
  expect([...new Set(rows.map(({ code }) => code))].sort()).toEqual([...KNOWN_CODES].sort());
});

test("the client does after each error what the table asks for", () => {
  for (const { code, action } of rows) {
    if (action.startsWith("retry")) expect([code, afterError(code)]).toEqual([code, "later"]);
    if (action.startsWith("correct")) expect([code, afterError(code)]).toEqual([code, "fix"]);
    if (action.startsWith("log in")) expect([code, afterError(code)]).toEqual([code, "renew"]);
  }
});

test("the client does after each close what the table asks for", () => {
  for (const { code, close, action } of rows.filter((row) => row.close !== "—")) {
    const after = afterClose(Number(close)).do;
    if (action.startsWith("reconnect") || code === "too_many_frames") expect([close, after]).toEqual([close, "reconnect"]);
    if (action.startsWith("log in")) expect([close, after]).toEqual([close, "renew"]);
    if (action.startsWith("do not reconnect")) expect([close, after]).toEqual([close, "stop"]);
  }
});

test("a close code of a newer server follows its range", () => {
  expect(afterClose(4321).do).toBe("reconnect");
  expect(afterClose(4777).do).toBe("stop");
  expect(afterClose(1006).do).toBe("reconnect");
});
