import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { Problem } from '../../src/lib/api'
import { EXPLAINED, explain } from '../../src/lib/problems'
import { load, t } from '../../src/words'

const openapi = JSON.parse(readFileSync(new URL('../../../../../docs/openapi.json', import.meta.url), 'utf8')) as {
  components: { schemas: { Code: { enum: string[] } } }
}
const problem = (code: string, retryAfter?: number, most?: number) => new Problem(code, 400, '', retryAfter, [], most)

beforeAll(async () => {
  vi.stubGlobal('document', { documentElement: {} })
  vi.stubGlobal('navigator', { languages: ['en'] })
  await load()
})
afterAll(() => vi.unstubAllGlobals())

test('every code of the contract has a sentence', () => {
  expect([...EXPLAINED].toSorted()).toEqual([...openapi.components.schemas.Code.enum, 'offline'].toSorted())
})

test('a field that is not valid is not called too long', () => {
  expect(explain(problem('invalid'))).toBe(t.problemInvalid)
  const refused = new Problem('invalid', 422, '', undefined, [{ field: 'name', message: 'must not be blank' }])
  expect(explain(refused)).toBe(t.invalidName)
})

test('a limit says how long to wait, and how much fits', () => {
  expect(explain(problem('rate_limited', 2_500))).toBe('Too fast. Try again in 3 seconds.')
  expect(explain(problem('rate_limited'))).toBe(t.problemTooFast)
  expect(explain(problem('too_large', undefined, 65_536))).toBe('This is too large: at most 64 KiB can be sent at once.')
})

test('an attempt may have its own sentence for a code', () => {
  expect(explain(problem('conflict'), { conflict: t.tooManyReactions })).toBe(t.tooManyReactions)
  expect(explain(problem('forbidden'), { conflict: t.tooManyReactions })).toBe(t.problemForbidden)
})
