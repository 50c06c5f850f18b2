import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Pace } from '../../src/lib/pace'

const EVERY = 50
let done: number[]
let asked: number
let pace: Pace

beforeEach(() => {
  vi.useFakeTimers()
  vi.stubGlobal('document', { hidden: false })
  ;[done, asked] = [[], 0]
  pace = new Pace(() => done.push(asked), EVERY)
})
afterEach(() => {
  vi.unstubAllGlobals()
  vi.useRealTimers()
})

function ask(): void {
  asked += 1
  pace.ask()
}

test('what is asked for alone is done right after', () => {
  ask()
  expect(done).toEqual([])
  vi.advanceTimersByTime(1)
  expect(done).toEqual([1])
  vi.advanceTimersByTime(EVERY)
  ask()
  vi.advanceTimersByTime(1)
  expect(done).toEqual([1, 2])
})

test('what is asked for in between is done in one go, and the last is not lost', () => {
  for (let at = 0; at < 100; at += 10) {
    ask()
    vi.advanceTimersByTime(10)
  }
  expect(done).toEqual([1, 5, 10])
  vi.advanceTimersByTime(10 * EVERY)
  expect(done).toHaveLength(3)
})

test('a page that is not in front waits for no timer', () => {
  vi.stubGlobal('document', { hidden: true })
  ask()
  ask()
  expect(done).toEqual([1, 2])
})

test('nothing is done after the end', () => {
  ask()
  pace.end()
  vi.advanceTimersByTime(10 * EVERY)
  expect(done).toEqual([])
})
