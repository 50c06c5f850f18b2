import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['tests/browser/**/*.test.ts'],
    // One program and one browser at a time: both want a core each.
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 90_000,
    // As long as the page is waited for elsewhere: one second is what a busy machine takes for an answer.
    expect: { poll: { timeout: 20_000 } },
  },
})
