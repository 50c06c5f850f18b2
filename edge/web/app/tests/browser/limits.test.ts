/** How much the page may do: of a long history, and while one types. */
import type { Browser, Page, Route } from 'playwright-core'
import { expect, test } from 'vitest'
import { Caller, enter, open, profile, rows, stage } from './harness'
import { isTask, recorded, times, type TraceEvent } from './trace'

const { program, browser } = await stage()

/** Milliseconds on a processor of each task of the page's main thread meanwhile. */
const tasksOf = async (browser: Browser, page: Page, work: () => Promise<void>): Promise<number[]> => times((await recorded(browser, page, work)).filter(isTask))

const KEYS = ['keydown', 'keypress', 'beforeinput', 'input', 'keyup']

/** The same, and of each event of a key. */
async function keysOf(browser: Browser, page: Page, work: () => Promise<void>): Promise<{ tasks: number[]; keys: number[] }> {
  const events = await recorded(browser, page, work, 'devtools.timeline')
  const isKey = ({ name, args }: TraceEvent) => name === 'EventDispatch' && KEYS.includes(args.data?.type ?? '')
  return { tasks: times(events.filter(isTask)), keys: times(events.filter(isKey)) }
}

const most = (numbers: readonly number[]) => numbers.reduce((max, number) => Math.max(max, number), 0)
const part = (numbers: readonly number[], share: number) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length * share)] ?? 0

/**
 * The history of a room as if it had so many messages: to make them with the program would take minutes, and the page knows
 * of them only what these answers say. Everything else is the program's.
 */
async function lengthen(page: Page, id: string, count: number): Promise<void> {
  const json = (route: Route, body: unknown) => route.fulfill({ status: 200, contentType: 'application/json', body: JSON.stringify(body) })
  const longer = <T extends { id: string }>(conversation: T) => (conversation.id === id ? { ...conversation, headSeq: count, readSeq: count, unreadCount: 0 } : conversation)
  await page.route(/\/api\/conversations(\?|$)/, async (route) => {
    if (route.request().method() !== 'GET') return route.continue()
    const page = (await (await route.fetch()).json()) as { items: { id: string }[] }
    await json(route, { ...page, items: page.items.map(longer) })
  })
  await page.route(`**/api/conversations/${id}`, async (route) => json(route, longer((await (await route.fetch()).json()) as { id: string })))
  const start = Date.parse('2026-01-01T00:00:00Z')
  const message = (seq: number) => ({
    id: `m${seq}`, conversationId: id, seq, senderId: `writer-${seq % 5}`, clientId: null, replyTo: seq % 11 === 0 ? seq - 3 : null, editedAt: null, deletedAt: null,
    content: `Message ${seq} ${'with **some** more words '.repeat(seq % 9)}`.trim(),
    createdAt: new Date(start + seq * 40_000).toISOString(),
    reactions: seq % 7 === 0 ? [{ emoji: '👍', count: 2, me: false, userIds: ['writer-1', 'writer-2'] }] : [],
  })
  await page.route('**/api/messages?**', async (route) => {
    const query = new URL(route.request().url()).searchParams
    if (query.get('conversationId') !== id) return route.continue()
    const [before, after] = [query.get('before'), query.get('after')].map((text) => (text === null ? null : Number(text)))
    const limit = Number(query.get('limit'))
    const last = after == null ? Math.min(count, (before ?? count + 1) - 1) : Math.min(count, after + limit)
    const first = after == null ? Math.max(1, last - limit + 1) : after + 1
    const items = Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => message(first + index))
    await json(route, { items, hasMore: after == null ? first > 1 : last < count, headSeq: count })
  })
  await page.route('**/api/users/writer-*', (route) => json(route, { id: 'x', username: 'writer', displayName: 'Wanda Writer' }))
}

interface Journey {
  rows: number
  longest: number
  reached: number
}

/** By most of a screen a frame, up or down, until that message is on the screen. */
const travel = (page: Page, direction: 1 | -1, to: number): Promise<Journey> =>
  page.locator('.scroller').evaluate(async (element, { direction, to }) => {
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve))
    let [rows, longest, reached] = [0, 0, direction > 0 ? 0 : Infinity]
    const observer = new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) longest = Math.max(longest, duration)
    })
    observer.observe({ type: 'longtask' })
    const end = performance.now() + 90_000
    while (performance.now() < end && (direction > 0 ? reached < to : reached > to)) {
      element.dispatchEvent(new WheelEvent('wheel', { bubbles: true }))
      element.scrollTop += direction * 600
      await frame()
      const found = element.querySelectorAll('[data-row]')
      rows = Math.max(rows, element.querySelectorAll('li').length)
      const numbers = [found[0], found[found.length - 1]].flatMap((row) => /Message (\d+)/.exec(row?.textContent ?? '')?.[1] ?? []).map(Number)
      reached = direction > 0 ? Math.max(reached, ...numbers) : Math.min(reached, ...numbers)
    }
    observer.disconnect()
    return { rows, longest, reached }
  }, { direction, to })

test('a long way through 100,000 messages is light', async () => {
  const COUNT = 100_000
  const [writer, bob] = [await Caller.register(program.url, 'Wanda Writer'), await Caller.logIn(program.url, 'bob')]
  const { id } = await writer.post('/api/conversations', { type: 'group', name: 'Endless room', participantIds: [bob.id] })
  await writer.post('/api/messages', { conversationId: id, content: 'the first one' })
  const page = await (await profile(browser)).newPage()
  await lengthen(page, id, COUNT)
  await page.goto(`${program.url}/login`)
  await page.getByRole('button', { name: /Bob/ }).click()
  await open(page, 'Endless room')
  await page.locator('[data-row]').getByText(`Message ${COUNT}`).waitFor()
  // Further than the client holds messages, and back again.
  const journeys: Journey[] = []
  const tasks = await tasksOf(browser, page, async () => {
    journeys.push(await travel(page, -1, COUNT - 5_600))
    journeys.push(await travel(page, 1, COUNT - 4_600))
  })
  console.log('scrolled over 6,600 messages:', JSON.stringify(journeys), `${tasks.length} tasks, on a processor at most ${most(tasks).toFixed(1)} ms, 99.9 %: ${part(tasks, 0.999).toFixed(1)} ms`)
  expect(journeys[0]!.reached).toBeLessThanOrEqual(COUNT - 5_600)
  expect(journeys[1]!.reached).toBeGreaterThanOrEqual(COUNT - 4_600)
  expect(most(journeys.map(({ rows }) => rows))).toBeLessThanOrEqual(250)
  expect(tasks.length).toBeGreaterThan(100)
  expect(most(tasks)).toBeLessThanOrEqual(50)
  // What is at the end is there at once, though it was let go on the way.
  await page.getByRole('button', { name: 'To the newest' }).click()
  await page.locator('[data-row]').getByText(`Message ${COUNT}`).waitFor()
}, 240_000)

test('typing stays light while 50 messages a second arrive', async () => {
  const [writer, bob] = [await Caller.register(program.url, 'Wanda Writer'), await Caller.logIn(program.url, 'bob')]
  const { id } = await writer.post('/api/conversations', { type: 'group', name: 'Loud room', participantIds: [bob.id] })
  const page = await enter(await profile(browser), program.url, 'Bob')
  await open(page, 'Loud room')
  let number = 0
  const sends: Promise<unknown>[] = []
  const timer = setInterval(() => sends.push(writer.post('/api/messages', { conversationId: id, content: `Loud ${++number}` })), 20)
  try {
    // Not one of them: it is out of sight in a moment.
    await expect.poll(() => page.locator('[data-row]').last().innerText(), { timeout: 10_000 }).toMatch(/Loud [2-9]\d/)
    await page.evaluate(() => {
      const seen: number[] = []
      Object.assign(window, { seen })
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) if (/^key|input$/.test(entry.name)) seen.push(entry.duration)
      }).observe({ type: 'event', durationThreshold: 16, buffered: false } as PerformanceObserverInit)
    })
    const from = number
    const text = 'typed while everyone else is writing, too; '.repeat(3)
    const { keys, tasks } = await keysOf(browser, page, () => page.getByRole('textbox', { name: 'Message' }).pressSequentially(text, { delay: 40 }))
    const slow = await page.evaluate(() => (window as unknown as { seen: number[] }).seen)
    console.log(`typed ${text.length} keys while ${number - from} messages were sent; events on a processor: at most ${most(keys).toFixed(1)} ms, 95 %: ${part(keys, 0.95).toFixed(1)} ms;`,
      `tasks at most ${most(tasks).toFixed(1)} ms; until the next frame, by the clock (Event Timing): ${part(slow, 0.5)} ms in the middle, ${part(slow, 0.95)} ms at 95 %`)
    expect(number - from).toBeGreaterThan(100)
    expect(keys.length).toBeGreaterThan(text.length)
    expect(most(keys)).toBeLessThanOrEqual(16)
    expect(await page.getByRole('textbox', { name: 'Message' }).inputValue()).toBe(text)
  } finally {
    clearInterval(timer)
    await Promise.all(sends)
  }
  await rows(page, `Loud ${number}`).waitFor()
})
