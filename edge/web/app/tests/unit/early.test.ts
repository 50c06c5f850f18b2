import { afterEach, beforeEach, expect, test, vi } from 'vitest'

const asked: string[] = []
let answers: Record<string, () => Response> = {}
let stored: Record<string, string> = {}
let databases: () => Promise<{ name: string }[]> = async () => []

const json = (body: unknown, status = 200) => new Response(JSON.stringify(body), { status })
const early = () => import('../../src/early')

beforeEach(() => {
  vi.resetModules()
  asked.length = 0
  databases = async () => []
  stored = { 'natter.session': '{"id":"alice"}' }
  answers = {
    '/api/auth/refresh': () => json({ token: 'secret', user: { id: 'alice' } }),
    '/api/messages?conversationId=room-1&limit=20': () => json({ items: ['message'] }),
    '/api/conversations/room-1': () => json({ id: 'room-1' }),
    '/api/conversations?limit=20': () => json({ items: [{ id: 'room-1' }] }),
  }
  vi.stubGlobal('localStorage', { getItem: (key: string) => stored[key] ?? null })
  vi.stubGlobal('location', { pathname: '/c/room-1/7' })
  vi.stubGlobal('indexedDB', { databases: () => databases() })
  vi.stubGlobal('fetch', async (path: string, { headers = {} }: { headers?: Record<string, string> }) => {
    asked.push([path, headers['authorization']].filter(Boolean).join(' '))
    return answers[path]?.() ?? json({ code: 'not_found' }, 404)
  })
})
afterEach(() => vi.unstubAllGlobals())

test('without a session only how people log in is requested', async () => {
  stored = {}
  const options = { passwords: false, provider: { name: 'Corp' } }
  answers['/api/auth/options'] = () => json(options)
  const { ask, takeOptions, takePreview, takeRenewal } = await early()
  expect(ask()).toBe(false)
  expect([takeRenewal(), await takePreview(), await takeOptions()]).toEqual([undefined, undefined, options])
  expect(asked).toEqual(['/api/auth/options'])
})

test('a server that does not say how people log in takes passwords', async () => {
  const byPassword = { passwords: true, provider: null }
  const { takeOptions } = await early()
  expect(await takeOptions()).toEqual(byPassword)
  answers['/api/auth/options'] = () => {
    throw new TypeError('Failed to fetch')
  }
  expect(await takeOptions()).toEqual(byPassword)
})

test('the room of the address is requested with the new token', async () => {
  const { ask, takePreview } = await early()
  expect(ask()).toBe(true)
  expect(await takePreview()).toEqual({ user: 'alice', rooms: [{ id: 'room-1' }], room: { id: 'room-1' }, page: { items: ['message'] } })
  const [renewal, ...others] = asked
  expect(renewal).toBe('/api/auth/refresh')
  expect(others.toSorted()).toEqual(Object.keys(answers).slice(1).map((path) => `${path} Bearer secret`).toSorted())
})

test('a view without a room has the list alone', async () => {
  vi.stubGlobal('location', { pathname: '/settings' })
  const { ask, takePreview } = await early()
  ask()
  expect(await takePreview()).toEqual({ user: 'alice', rooms: [{ id: 'room-1' }], room: undefined, page: undefined })
  expect(asked).toHaveLength(2)
})

test('a room that is refused leaves the list', async () => {
  delete answers['/api/conversations/room-1']
  delete answers['/api/messages?conversationId=room-1&limit=20']
  const { ask, takePreview } = await early()
  ask()
  expect(await takePreview()).toMatchObject({ rooms: [{ id: 'room-1' }], room: undefined, page: undefined })
})

test('a device with a copy requests the renewal alone', async () => {
  databases = async () => [{ name: 'natter.alice' }]
  const { ask, takePreview } = await early()
  ask()
  expect(await takePreview()).toBeUndefined()
  expect(asked).toEqual(['/api/auth/refresh'])
  // The copy of another user is none.
  databases = async () => [{ name: 'natter.bob' }]
  ask()
  expect(await takePreview()).toBeDefined()
})

test('a refused renewal has no preview, and is passed on whole', async () => {
  answers['/api/auth/refresh'] = () => json({ code: 'session_revoked' }, 401)
  const { ask, takePreview, takeRenewal } = await early()
  ask()
  expect(await takePreview()).toBeUndefined()
  expect(await (await takeRenewal())?.json()).toEqual({ code: 'session_revoked' })
  expect(asked).toEqual(['/api/auth/refresh'])
})

test('each response is taken once', async () => {
  const { ask, takePreview, takeRenewal } = await early()
  ask()
  expect([await takePreview(), takeRenewal()]).not.toContain(undefined)
  expect([await takePreview(), takeRenewal()]).toEqual([undefined, undefined])
})

test('without storage the renewal is requested all the same', async () => {
  vi.stubGlobal('localStorage', { getItem: () => { throw new DOMException('blocked', 'SecurityError') } })
  databases = async () => { throw new DOMException('blocked', 'SecurityError') }
  const { ask, takePreview } = await early()
  expect(ask()).toBe(true)
  expect(await takePreview()).toMatchObject({ user: 'alice' })
})
