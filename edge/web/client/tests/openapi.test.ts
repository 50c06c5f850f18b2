import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

import { printTypes, TYPES } from "../scripts/types.js";

test("the types of HTTP are those of docs/openapi.json; `npm run types` prints them again", async () => {
  expect(readFileSync(TYPES, "utf8")).toBe(await printTypes());
});
