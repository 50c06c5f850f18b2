import { describe, test } from "vitest";

import conformance from "../conformance.json";
import { ConformanceRun, type ConformanceStep } from "./conformance";

describe("conformance.json", () => {
  test.each(conformance.cases)("a client $name", ({ steps }) => {
    const run = new ConformanceRun(conformance.ids);
    (steps as ConformanceStep[]).forEach((step, i) => run.take(step, `step ${i + 1}: ${JSON.stringify(step)}`));
  });
});
