import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["tests/**/*.test.ts"],
    // The real program needs some seconds to start on a small machine.
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
