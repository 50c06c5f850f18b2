import type { BrowserContext, Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { Caller, enter, open, profile, rows, say, stage } from './harness'

const { program, browser } = await stage()

/** A group of Bob and a writer, with numbered messages of different heights. */
async function group(name: string, count: number): Promise<{ id: string; writer: Caller; bob: Caller; seqs: number[] }> {
  const [writer, bob] = [await Caller.register(program.url, 'Wilma Writer'), await Caller.logIn(program.url, 'bob')]
  const { id } = await writer.post('/api/conversations', { type: 'group', name, participantIds: [bob.id] })
  return { id, writer, bob, seqs: await write(writer, id, 1, count) }
}

async function write(writer: Caller, id: string, from: number, to: number): Promise<number[]> {
  const seqs: number[] = []
  for (let number = from; number <= to; number++) {
    const content = `Message ${number}${' with some more words'.repeat(number % 7)}`
    const { seq } = await writer.post<{ seq: number }>('/api/messages', { conversationId: id, content })
    seqs.push(seq)
  }
  return seqs
}

const numbered = (page: Page, number: number) =>
  page.locator('[data-row]').filter({ has: page.getByText(new RegExp(`^Message ${number}( |$)`)) })
const scroller = (page: Page) => page.locator('.scroller')
const isAtEnd = (page: Page) => scroller(page).evaluate((element) => element.scrollHeight - element.clientHeight - element.scrollTop <= 2)

interface Seen {
  /** How far a row that is on the screen has moved otherwise than the reader. */
  by: number
  numbers: number[]
  height: number
  top: number
  left: number
}

/** Scrolls by so many pixels; what is on the screen has to move with it, whatever is loaded meanwhile. */
const scroll = (page: Page, pixels: number): Promise<Seen> =>
  scroller(page).evaluate(async (element, pixels) => {
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve))
    const { top, bottom } = element.getBoundingClientRect()
    const shown = () => [...element.querySelectorAll('[data-row]')].filter((row) => row.getBoundingClientRect().bottom > top && row.getBoundingClientRect().top < bottom)
    const anchor = shown().find((row) => row.getBoundingClientRect().top >= top)
    const [key, before, from] = [anchor?.getAttribute('data-row'), anchor?.getBoundingClientRect().top ?? 0, element.scrollTop]
    // As a reader's hand does: what the list moves by itself has none.
    element.dispatchEvent(new WheelEvent('wheel', { bubbles: true }))
    element.scrollTop += pixels
    const went = element.scrollTop - from
    for (let count = 0; count < 8; count++) await frame()
    const after = element.querySelector(`[data-row="${key}"]`)?.getBoundingClientRect().top
    const numbers = shown().map((row) => Number(/Message (\d+)/.exec(row.textContent ?? '')?.[1]))
    const left = element.scrollHeight - element.clientHeight - element.scrollTop
    return { by: after === undefined ? 0 : Math.abs(after - before + went), numbers, height: element.scrollHeight, top: element.scrollTop, left }
  }, pixels)

/** Reads on to the end; gives every number on the way. */
async function readOn(page: Page, last: number): Promise<Set<number>> {
  const numbers = new Set<number>()
  for (let step = 0; step < 400; step++) {
    const seen = await scroll(page, step === 0 ? 0 : 250)
    expect(seen.by, JSON.stringify(seen)).toBeLessThanOrEqual(1)
    for (const number of seen.numbers) numbers.add(number)
    if (numbers.has(last) && seen.left <= 2) break
  }
  return numbers
}

test('a room opens at the first unread message, however old', async () => {
  const { id, bob, seqs } = await group('Unread room', 300)
  await bob.post('/api/messages/read', { conversationId: id, seq: seqs[49] })
  const page = await enter(await profile(browser), program.url, 'Bob')
  await open(page, 'Unread room')
  const divider = page.getByText('New messages', { exact: true })
  await divider.waitFor()
  // The divider is at the top, and what follows it is the first message that Bob has not read.
  const [top, line, first] = await Promise.all([scroller(page), divider, numbered(page, 51)].map((part) => part.evaluate((element) => element.getBoundingClientRect().top)))
  expect(line! - top!).toBeGreaterThan(0)
  expect(line! - top!).toBeLessThan(120)
  expect(first).toBeGreaterThan(line!)
  expect(first! - line!).toBeLessThan(80)
  await page.getByRole('button', { name: 'More than 99 new messages' }).waitFor()
  // Older ones load in front of it, newer ones after it, and nothing is left out on the way to the end.
  for (let step = 0; step < 12; step++) {
    const seen = await scroll(page, -250)
    expect(seen.by, JSON.stringify(seen)).toBeLessThanOrEqual(1)
  }
  await page.getByText('This is the beginning of the conversation.').waitFor()
  const numbers = await readOn(page, 300)
  expect(Array.from({ length: 290 }, (_, index) => index + 11).filter((number) => !numbers.has(number))).toEqual([])
  await page.locator('[data-room][aria-current=page]').getByText(/unread message/).waitFor({ state: 'detached' })
})

test('from the first unread message the newest is a click away', async () => {
  const { id, bob, seqs } = await group('Hasty room', 250)
  await bob.post('/api/messages/read', { conversationId: id, seq: seqs[9] })
  const page = await enter(await profile(browser), program.url, 'Bob')
  await open(page, 'Hasty room')
  await page.getByRole('button', { name: 'More than 99 new messages' }).click()
  await numbered(page, 250).waitFor()
  await expect.poll(() => isAtEnd(page), { timeout: 10_000 }).toBe(true)
  await page.locator('[data-room][aria-current=page]').getByText(/unread message/).waitFor({ state: 'detached' })
})

const inView = (page: Page, number: number) =>
  expect.poll(() => numbered(page, number).evaluateAll((found) => {
    const view = document.querySelector('.scroller')!.getBoundingClientRect()
    return found.some((row) => row.getBoundingClientRect().top >= view.top && row.getBoundingClientRect().bottom <= view.bottom)
  }), { timeout: 10_000 }).toBe(true)

test('a quote leads to the quoted message, held or not', async () => {
  const { id, writer, bob, seqs } = await group('Quoting room', 160)
  await writer.post('/api/messages', { conversationId: id, content: 'answers the latest', replyTo: seqs[149] })
  await writer.post('/api/messages', { conversationId: id, content: 'answers an old one', replyTo: seqs[19] })
  await bob.post('/api/messages/read', { conversationId: id, seq: 1_000_000 })
  // With motion: nothing of it may bring the reader back.
  const page = await enter(await profile(browser, { reducedMotion: 'no-preference' }), program.url, 'Bob')
  await open(page, 'Quoting room')
  await rows(page, 'answers the latest').locator('.quote').click()
  await inView(page, 150)
  await page.getByRole('button', { name: 'To the newest' }).click()
  await rows(page, 'answers an old one').locator('.quote').click()
  await inView(page, 20)
  // It is there to stay: what is loaded around it does not move it away.
  const seen = await scroll(page, 0)
  expect(seen.by).toBeLessThanOrEqual(1)
  expect(seen.numbers).toContain(20)
})

/** Pages whose frames can be stopped, as those of a tab that is not in front: no size is reported, and no scrolling. */
async function projector(context: BrowserContext): Promise<{ stop: (page: Page) => Promise<void>; goOn: (page: Page) => Promise<void> }> {
  await context.addInitScript(`{
    const held = [];
    let isStopped = false;
    const later = (run) => (isStopped ? void held.push(run) : run());
    const real = requestAnimationFrame.bind(window);
    window.requestAnimationFrame = (run) => real((at) => later(() => run(at)));
    window.ResizeObserver = class extends ResizeObserver {
      constructor(run) { super((entries, observer) => later(() => run(entries, observer))); }
    };
    addEventListener('scroll', (event) => {
      if (!isStopped) return;
      event.stopImmediatePropagation();
      held.push(() => event.target.dispatchEvent(new Event('scroll')));
    }, true);
    window.stopFrames = () => void (isStopped = true);
    window.goOn = () => {
      isStopped = false;
      for (const run of held.splice(0)) run();
    };
  }`)
  return { stop: (page) => page.evaluate('stopFrames()'), goOn: (page) => page.evaluate('goOn()') }
}

const placed = (page: Page) => page.locator('.scroller[aria-busy="false"]').waitFor({ state: 'attached' })

test('a room that was opened without a frame is shown by the next', async () => {
  const { writer, id } = await group('Unseen room', 3)
  const context = await profile(browser)
  const film = await projector(context)
  const page = await enter(context, program.url, 'Bob')
  const link = page.locator('[data-room]').filter({ hasText: 'Unseen room' })
  // They arrive before the room is opened, and those before them after it.
  await write(writer, id, 4, 5)
  await link.getByText('Message 5').waitFor()
  await film.stop(page)
  await link.click()
  await placed(page)
  await film.goOn(page)
  for (const number of [1, 5]) await numbered(page, number).waitFor()
  await page.getByText('This is the beginning of the conversation.').waitFor()
})

test('the first unread message is kept until a frame is drawn', async () => {
  const { id, bob, seqs } = await group('Unseen unread room', 15)
  await bob.post('/api/messages/read', { conversationId: id, seq: seqs[4] })
  // So high that all would be seen if no row had more than one line, and so narrow that they have.
  const context = await profile(browser, { viewport: { width: 340, height: 960 } })
  const film = await projector(context)
  const page = await enter(context, program.url, 'Bob')
  await film.stop(page)
  await page.locator('[data-room]').filter({ hasText: 'Unseen unread room' }).click()
  await placed(page)
  await film.goOn(page)
  await inView(page, 6)
  // Where it stands in the end, and not on the way there.
  const seen = await scroll(page, 0)
  expect(seen.numbers).toContain(6)
  expect(seen.numbers).not.toContain(15)
})

/** The socket of a page, which can be cut, and stays so. */
async function cable(context: BrowserContext): Promise<{ cut: () => void; mend: () => void }> {
  let isCut = false
  const open = new Set<() => void>()
  await context.routeWebSocket('**/ws', (socket) => {
    if (isCut) return void socket.close()
    const server = socket.connectToServer()
    const end = () => {
      void socket.close()
      void server.close()
    }
    open.add(end)
    server.onMessage((frame) => socket.send(frame))
    socket.onMessage((frame) => server.send(frame))
    server.onClose((code, reason) => void socket.close({ ...(code && { code }), ...(reason && { reason }) }))
  })
  return {
    cut: () => {
      isCut = true
      for (const end of open) end()
      open.clear()
    },
    mend: () => (isCut = false),
  }
}

test('what was missed and is not held is a seam that loads', async () => {
  const { id, writer, bob } = await group('Gap room', 60)
  await bob.post('/api/messages/read', { conversationId: id, seq: 1_000_000 })
  const context = await profile(browser)
  const line = await cable(context)
  const page = await enter(context, program.url, 'Bob')
  await open(page, 'Gap room')
  await numbered(page, 60).waitFor()
  line.cut()
  await page.getByText(/No connection|Connecting/).first().waitFor()
  // More than a resume sends.
  await write(writer, id, 61, 620)
  line.mend()
  await page.getByText('New messages', { exact: true }).waitFor()
  await inView(page, 61)
  const numbers = await readOn(page, 620)
  expect(Array.from({ length: 560 }, (_, index) => index + 61).filter((number) => !numbers.has(number))).toEqual([])
})

const top = (row: ReturnType<typeof numbered>): Promise<number> => row.evaluate((element) => element.getBoundingClientRect().top)

/** The same, when rows that came into view with it have been measured. */
async function topAtRest(row: ReturnType<typeof numbered>): Promise<number> {
  let last = Number.NaN
  await expect.poll(async () => last === (last = await top(row)), { interval: 100 }).toBe(true)
  return last
}

/**
 * A room of 200 messages, opened at the 21st: its ends can be loaded, and what is between them only after `allow`. Refused from
 * the start: the client loads ahead of the reader.
 */
async function withoutMiddle(name: string): Promise<{ page: Page; allow: () => Promise<void> }> {
  const { id, bob, seqs } = await group(name, 200)
  await bob.post('/api/messages/read', { conversationId: id, seq: 1_000_000 })
  const page = await enter(await profile(browser, { allowed: /400/ }), program.url, 'Bob')
  const isMiddle = (url: URL) => {
    const end = Number(url.searchParams.get('after') ?? url.searchParams.get('before'))
    return url.pathname === '/api/messages' && end > seqs[60]! && end < seqs[160]!
  }
  // A refusal that is final: the client does not ask again by itself.
  const body = JSON.stringify({ code: 'malformed', status: 400, title: '', detail: '', requestId: 'x' })
  await page.route(isMiddle, (route) => route.fulfill({ status: 400, headers: { 'content-type': 'application/problem+json' }, body }))
  await page.goto(`${program.url}/c/${id}/${seqs[20]}`)
  await inView(page, 21)
  return { page, allow: () => page.unroute(isMiddle) }
}

test('a seam that could not be loaded says so and loads again', async () => {
  const { page, allow } = await withoutMiddle('Seam room')
  const failed = page.getByText('Messages could not be loaded.')
  for (let step = 0; step < 40 && !(await failed.isVisible()); step++) await scroll(page, 300)
  await failed.waitFor()
  await allow()
  // By keyboard, with the end of what is held in view: the button is gone then, and with it the focus.
  const button = page.locator('.seam').getByRole('button', { name: 'Try again' })
  // Again if rows that are measured only now move it.
  await expect.poll(async () => {
    await button.evaluate((element) => element.scrollIntoView({ block: 'center' }))
    return numbered(page, 71).count()
  }).toBe(1)
  await inView(page, 71)
  const before = await topAtRest(numbered(page, 71))
  await button.focus()
  await page.keyboard.press('Enter')
  await page.locator('.seam').waitFor({ state: 'detached' })
  await numbered(page, 72).waitFor()
  await expect.poll(() => numbered(page, 71).evaluate((row) => row.contains(document.activeElement))).toBe(true)
  expect(Math.abs((await topAtRest(numbered(page, 71))) - before)).toBeLessThanOrEqual(1)
  const numbers = await readOn(page, 200)
  expect(numbers.has(110)).toBe(true)
})

test('a seam that is loaded from below leaves the reader there', async () => {
  const { page, allow } = await withoutMiddle('Lower room')
  await scroller(page).evaluate((element) => {
    element.dispatchEvent(new WheelEvent('wheel', { bubbles: true }))
    element.scrollTop = element.scrollHeight
  })
  const failed = page.getByText('Messages could not be loaded.')
  for (let step = 0; step < 60 && !(await failed.isVisible()); step++) await scroll(page, -300)
  await failed.waitFor()
  await allow()
  // Its messages are below it, and of those above no more than the last line is on the screen.
  const button = page.locator('.seam').getByRole('button', { name: 'Try again' })
  await button.evaluate((element) => element.closest('.seam')!.scrollIntoView({ block: 'start' }))
  await scroll(page, -10)
  // Not the first of them: with one before it, that is shown without its sender's name.
  await inView(page, 152)
  const before = await topAtRest(numbered(page, 152))
  await button.focus()
  await page.keyboard.press('Enter')
  await page.locator('.seam').waitFor({ state: 'detached' })
  await expect.poll(() => page.evaluate(() => document.activeElement?.closest('[data-row]') !== null)).toBe(true)
  expect(Math.abs((await topAtRest(numbered(page, 152))) - before)).toBeLessThanOrEqual(1)
  await expect.poll(async () => (await scroll(page, -300)).numbers, { interval: 0 }).toContain(140)
})

test('what is marked as unread stays so while it is looked at', async () => {
  const { id, bob } = await group('Marked room', 8)
  await bob.post('/api/messages/read', { conversationId: id, seq: 1_000_000 })
  const page = await enter(await profile(browser), program.url, 'Bob')
  await open(page, 'Marked room')
  const row = numbered(page, 6)
  await row.focus()
  await page.keyboard.press('Enter')
  await page.getByRole('menuitem', { name: 'Mark as unread' }).click()
  await page.locator('[data-room][aria-current=page]').getByText('3 unread messages').waitFor()
  await page.getByText('New messages', { exact: true }).waitFor()
  await say(page, 'And now I have read it')
  await page.locator('[data-room][aria-current=page]').getByText(/unread message/).waitFor({ state: 'detached' })
})
