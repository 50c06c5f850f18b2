/** What is seen of the first room, in a browser that has nothing of the page and of the rooms yet. */
import type { BrowserContextOptions, Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { Caller, enter, profile, rows, stage } from './harness'
import { isTask, recorded, times, type TraceEvent } from './trace'

const { program, browser } = await stage()

/** A room of Alice's with messages that she has not read. */
async function room(name: string, messages: number) {
  const [alice, bob] = [await Caller.logIn(program.url, 'alice'), await Caller.logIn(program.url, 'bob')]
  const { id } = await bob.post('/api/conversations', { type: 'group', name, participantIds: [alice.id] })
  const post = (content: string) => bob.post('/api/messages', { conversationId: id, content })
  for (let number = 1; number <= messages; number++) await post(`Line ${number} of ${name}`)
  return { id, alice, post }
}

/** A session of Alice's as the next start of her browser finds it: the cookie, and who it is of. */
async function left(): Promise<BrowserContextOptions['storageState']> {
  const context = await profile(browser)
  const page = await enter(context, program.url, 'Alice')
  const state = await context.storageState()
  await page.close()
  return state
}

const cold = async (): Promise<Page> => (await profile(browser, { storageState: await left() })).newPage()

const READABLE = 'readable'

/** By the page's own clock: when the first message could be seen, and whether there was a frame since in which none was. */
const WATCH = `{
  const look = () => {
    const isSeen = [...document.querySelectorAll('[data-row]')].some((row) => {
      if (!row.checkVisibility({ visibilityProperty: true, opacityProperty: true })) return false;
      const { top, bottom } = row.getBoundingClientRect();
      return bottom > 0 && top < innerHeight;
    });
    if (!isSeen && globalThis.readableAt) globalThis.isGone = true;
    if (isSeen) globalThis.readableAt ??= performance.mark('${READABLE}').startTime;
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}`

type Seen = typeof globalThis & { readableAt?: number; isGone?: true }

/** Milliseconds for each answer, and bytes in a millisecond: 1.6 Mbit/s. */
const LINE = { latency: 150, speed: 200 }

interface Call {
  path: string
  start: number
  end: number
  bytes: number
}

interface Start {
  page: Page
  /** By the clock, with whatever else the machine did meanwhile. */
  took: number
  /** Work of the page's thread until then, in time of a processor: others that have it meanwhile do not count. */
  work: number
  requests: Call[]
}

async function slowStart(path: string): Promise<Start> {
  const page = await cold()
  await page.addInitScript(WATCH)
  const devtools = await page.context().newCDPSession(page)
  await devtools.send('Network.enable')
  const throughput = LINE.speed * 1_000
  await devtools.send('Network.emulateNetworkConditions', { offline: false, latency: LINE.latency, downloadThroughput: throughput, uploadThroughput: throughput })
  let took = Infinity
  const events = await recorded(browser, page, async () => {
    await page.goto(program.url + path, { waitUntil: 'commit' })
    took = (await (await page.waitForFunction(() => (globalThis as Seen).readableAt)).jsonValue()) ?? Infinity
  })
  const work = workUntil(events, READABLE)
  const requests = await page.evaluate(() =>
    performance.getEntries().flatMap((entry) => {
      if (!(entry instanceof PerformanceResourceTiming)) return []
      const { name, startTime, responseEnd, transferSize } = entry
      return [{ path: new URL(name).pathname, start: startTime, end: responseEnd, bytes: transferSize }]
    }),
  )
  return { page, took, work, requests }
}

/** Milliseconds on a processor of the page's thread, from the start of the record to a mark of the page. */
function workUntil(events: readonly TraceEvent[], mark: string): number {
  const at = events.find(({ name }) => name === mark) ?? expect.fail(`${mark} is not in the record`)
  const until = events.filter((event) => isTask(event) && event.pid === at.pid && event.tid === at.tid && event.ts < at.ts)
  return times(until).reduce((sum, time) => sum + time, 0)
}

/** What the line alone needs for these: a request waits for the round trip of what it is asked for by, and bytes for those before. */
function onLine(requests: readonly Call[], gates: readonly number[]): number {
  let end = 0
  for (const wave of [...gates.keys(), gates.length]) {
    const calls = requests.filter(({ start }) => gates.filter((gate) => start >= gate).length === wave)
    end = Math.max(end, LINE.latency * (wave + 1)) + calls.reduce((sum, { bytes }) => sum + bytes, 0) / LINE.speed
  }
  return end
}

/** What waits for what, and what the line alone would have needed; milliseconds. */
function lineOf({ requests, took, work }: Start): number {
  const of = (pattern: RegExp) => requests.find(({ path }) => pattern.test(path)) ?? expect.fail(`${pattern} was not requested`)
  // The page, its first script, the renewal, and all that needs the token at once: nothing else waits for anything.
  const [first, renewal] = [of(/first-.*\.js$/), of(/auth\/refresh/)]
  expect(renewal.start, 'the renewal waits for the first script alone').toBeLessThan(of(/base-.*\.js$/).end)
  for (const file of [/chat-.*\.js$/, /chat-.*\.css$/, /\/en-.*\.js$/]) expect(of(file).start, `${file} does not wait for the renewal`).toBeLessThan(renewal.end)
  const calls = [of(/\/api\/messages$/), of(/\/api\/conversations\/./), of(/\/api\/conversations$/)]
  const answered = Math.min(...calls.map(({ end }) => end))
  for (const { path, start } of calls) expect(start, `${path} waits for the renewal alone`).toBeLessThan(answered)
  expect(calls[0]!.bytes, 'the page of messages is compressed').toBeLessThan(3_000)
  const line = onLine(requests.filter(({ start }) => start < answered), [0, first.end, renewal.end])
  const seen = requests.map(({ path, start, end, bytes }) => `${path} ${start.toFixed(0)}–${end.toFixed(0)} ${bytes}`).join('\n')
  console.log(`line ${line.toFixed(0)} ms, work ${work.toFixed(0)} ms, by the clock ${took.toFixed(0)} ms\n${seen}`)
  return line
}

test('the first room is readable in a second on a slow line', async () => {
  const { id, alice, post } = await room('Slow line', 30)
  // Read to its end, where it opens.
  await alice.post('/api/messages/read', { conversationId: id, seq: 2 ** 40 })
  // The same work takes more time of a processor whose caches others use meanwhile: of three starts the one in the middle counts.
  const [starts, costs]: [Start[], number[]] = [[], []]
  for (let number = 0; number < 3; number++) {
    const start = await slowStart(`/c/${id}`)
    starts.push(start)
    costs.push(lineOf(start) + start.work)
    expect(start.took).toBeLessThan(5_000)
  }
  expect(costs.toSorted((a, b) => a - b)[1]).toBeLessThan(1_000)
  // The client's own state takes the place of the preview without a frame in which there is nothing.
  await post('The room is live')
  for (const { page } of starts) {
    await rows(page, 'The room is live').waitFor()
    expect(await page.evaluate(() => (globalThis as Seen).isGone ?? false)).toBe(false)
  }
})

test('what is shown before the socket answers is not read', async () => {
  const { id, alice } = await room('Not connected', 25)
  const page = await cold()
  await page.routeWebSocket(/\/ws$/, () => undefined)
  await page.goto(`${program.url}/c/${id}`)
  await rows(page, 'Line 25 of Not connected').waitFor()
  // Reading marks what is seen in a window with the focus when something moves.
  await page.locator('[data-row]').last().hover()
  await page.mouse.wheel(0, -200)
  await rows(page, 'Line 20 of Not connected').hover()
  await page.mouse.wheel(0, 400)
  await page.locator('[data-room]').filter({ hasText: 'Not connected' }).getByText('25 unread messages').waitFor()
  const { readSeq, unreadCount } = await alice.get<{ readSeq: number; unreadCount: number }>(`/api/conversations/${id}`)
  expect({ readSeq, unreadCount }).toEqual({ readSeq: 0, unreadCount: 25 })
})

test('nothing of a session that has ended is shown at a start', async () => {
  const { id } = await room('Ended', 3)
  const storageState = await left()
  const again = await profile(browser, { storageState, allowed: /401/ })
  const { token } = (await (await again.request.post(`${program.url}/api/auth/refresh`)).json()) as { token: string }
  await again.request.post(`${program.url}/api/auth/logout`, { headers: { authorization: `Bearer ${token}` } })
  const page = await again.newPage()
  const asked: string[] = []
  page.on('request', (request) => asked.push(new URL(request.url()).pathname))
  await page.addInitScript(WATCH)
  await page.goto(`${program.url}/c/${id}`)
  await page.getByRole('button', { name: 'Log in', exact: true }).waitFor()
  expect(await page.evaluate(() => (globalThis as Seen).readableAt ?? 'never')).toBe('never')
  expect(asked.filter((path) => /^\/api\/(messages|conversations)/.test(path))).toEqual([])
})
