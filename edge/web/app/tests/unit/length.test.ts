import { expect, test } from 'vitest'
import { space } from '../../src/lib/length'

const encoder = new TextEncoder()

test('what is left is counted in bytes of UTF-8', () => {
  for (const [text, limit] of [['x'.repeat(10), 10], ['é'.repeat(5), 10], ['€€€', 9], ['👍👍', 8], ['€'.repeat(2_730), 8_192]] as const) {
    expect(space(text, limit)).toEqual({ left: limit - encoder.encode(text).length, over: 0 })
  }
})

test('far below the limit there is enough', () => {
  const { left, over } = space('é'.repeat(1_000), 8_192)
  expect(over).toBe(0)
  expect(left).toBeGreaterThan(4_096)
})

test('what is over is counted in characters as readers see them', () => {
  expect(space('xxxxx', 3)).toEqual({ left: 0, over: 2 })
  expect(space('xx👩‍👩‍👧‍👦', 10).over).toBe(1)
  expect(space('xé', 2).over).toBe(1)
})

test('a text of megabytes costs no more than one of kilobytes', () => {
  const huge = '👩‍👩‍👧‍👦'.repeat(200_000)
  const before = performance.now()
  expect(space(huge, 8_192).over).toBeGreaterThan(1_000_000)
  expect(performance.now() - before).toBeLessThan(200)
})
