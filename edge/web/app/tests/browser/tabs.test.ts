import type { BrowserContext, Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { Front } from './front'
import { Caller, enter, open, profile, rows, say, stage } from './harness'

const { program, browser } = await stage()

const NO_ANSWER = /ERR_(CONNECTION|INTERNET|NETWORK|FAILED|EMPTY)|WebSocket|Failed to (load|fetch)/

interface Room {
  id: string
  name: string
}

/** A room of Alice's alone with the caller, so that tests do not see each other's messages. */
async function room(name: string): Promise<Room & { bob: Caller; post: (content: string) => Promise<unknown> }> {
  const [alice, bob] = [await Caller.logIn(program.url, 'alice'), await Caller.logIn(program.url, 'bob')]
  const { id } = await bob.post('/api/conversations', { type: 'group', name, participantIds: [alice.id] })
  return { id, name, bob, post: (content) => bob.post('/api/messages', { conversationId: id, content }) }
}

async function another(context: BrowserContext, url: string, { id }: Room): Promise<Page> {
  const page = await context.newPage()
  await page.goto(`${url}/c/${id}`)
  await page.getByRole('textbox', { name: 'Message' }).waitFor()
  return page
}

test('when the tab with the connection ends, another is live at once', async () => {
  const { post, ...place } = await room('Tabs')
  const elsewhere = await room('Another place')
  const context = await profile(browser)
  const tabs = [await enter(context, program.url, 'Alice')]
  await open(tabs[0]!, place.name)
  // Each is in line for the connection before the next one is.
  for (let count = 0; count < 3; count++) {
    const page = await another(context, program.url, place)
    tabs.push(page)
    await page.waitForFunction(async (waiting) => ((await navigator.locks.query()).pending ?? []).filter(({ name }) => name?.startsWith('natter.')).length === waiting, count + 1)
  }
  await post('to all')
  for (const page of tabs) await rows(page, 'to all').waitFor()
  const ends = [
    (page: Page) => page.close(),
    async (page: Page) => {
      const crashed = page.waitForEvent('crash')
      // Its answer never comes.
      void (await context.newCDPSession(page)).send('Page.crash').catch(() => undefined)
      await crashed
    },
  ]
  for (const [number, end] of ends.entries()) {
    await end(tabs.shift()!)
    const start = performance.now()
    await post(`after end ${number}`)
    for (const page of tabs) await rows(page, `after end ${number}`).waitFor()
    const took = performance.now() - start
    console.log(`live in ${took.toFixed(0)} ms`)
    expect(took).toBeLessThan(2_000)
    await say(tabs[0]!, `answer ${number}`)
    for (const page of tabs) await rows(page, `answer ${number}`).waitFor()
  }
  // What is unread is the same everywhere, and everything is there once.
  for (let number = 1; number <= 3; number++) await elsewhere.post(`unread ${number}`)
  for (const page of tabs) {
    await page.locator('[data-room]').filter({ hasText: elsewhere.name }).getByText('3 unread messages').waitFor()
    for (const text of ['to all', 'after end 0', 'answer 0', 'after end 1', 'answer 1']) expect(await rows(page, text).count(), text).toBe(1)
  }
  await expect.poll(async () => new Set(await Promise.all(tabs.map((page) => page.title()))).size).toBe(1)
  expect(await tabs[0]!.title()).toMatch(/^\(\d+\) Tabs/)
})

test('after half a minute offline everything arrives, both ways', async () => {
  const { post, ...place } = await room('Tunnel')
  const context = await profile(browser, { allowed: NO_ANSWER })
  const page = await enter(context, program.url, 'Alice')
  await open(page, place.name)
  await post('before')
  await rows(page, 'before').waitFor()
  await context.setOffline(true)
  const end = performance.now() + 30_000
  for (let number = 1; number <= 5; number++) {
    await post(`theirs ${number}`)
    await say(page, `mine ${number}`)
  }
  await page.waitForFunction((left) => new Promise((resolve) => setTimeout(() => resolve(true), left)), end - performance.now(), { timeout: 40_000 })
  await context.setOffline(false)
  await rows(page, 'mine 5').getByText(/^(Sent|Read)$/).waitFor()
  const shown = (await page.locator('[data-row]').allInnerTexts()).flatMap((text) => /(theirs|mine) \d/.exec(text)?.[0] ?? [])
  const all = (who: string) => Array.from({ length: 5 }, (_, at) => `${who} ${at + 1}`)
  expect(shown).toEqual([...all('theirs'), ...all('mine')])
}, 90_000)

test('a tab that was frozen for ten minutes catches up', async () => {
  const { post, ...place } = await room('Frozen')
  const front = await Front.to(program.url)
  const context = await profile(browser, { allowed: NO_ANSWER })
  const page = await context.newPage()
  await page.clock.install()
  await page.goto(`${front.url}/login`)
  await page.getByRole('button', { name: /Alice/ }).click()
  await open(page, place.name)
  await post('before')
  await rows(page, 'before').waitFor()
  const devtools = await context.newCDPSession(page)
  await devtools.send('Page.setWebLifecycleState', { state: 'frozen' })
  // Its connection is dead, and nothing has said so; ten minutes pass by the clock of the page.
  front.mute()
  for (let number = 1; number <= 3; number++) await post(`missed ${number}`)
  await devtools.send('Page.setWebLifecycleState', { state: 'active' })
  await page.clock.fastForward(600_000)
  await rows(page, 'missed 3').waitFor()
  await say(page, 'awake')
  await rows(page, 'awake').getByText(/^(Sent|Read)$/).waitFor()
  expect(await rows(page, 'missed 1').count()).toBe(1)
})

test('a clock that is an hour off changes no order and no time', async () => {
  const { post, ...place } = await room('Clocks')
  const context = await profile(browser)
  await context.addInitScript(`{
    const Real = Date, by = 3_600_000;
    globalThis.Date = class extends Real {
      constructor(...given) { if (given.length === 0) super(Real.now() + by); else super(...given); }
      static now() { return Real.now() + by; }
    };
  }`)
  const page = await enter(context, program.url, 'Alice')
  await open(page, place.name)
  const texts: string[] = []
  for (let number = 1; number <= 3; number++) {
    await post(`theirs ${number}`)
    await rows(page, `theirs ${number}`).waitFor()
    await say(page, `mine ${number}`)
    await rows(page, `mine ${number}`).getByText(/^(Sent|Read)$/).waitFor()
    texts.push(`theirs ${number}`, `mine ${number}`)
  }
  const shown = (await page.locator('[data-row]').allInnerTexts()).flatMap((text) => /(theirs|mine) \d/.exec(text)?.[0] ?? [])
  expect(shown).toEqual(texts)
  // Times are those of the server, for one's own messages, too.
  const times = await page.locator('[data-row] time').evaluateAll((all) => all.map((time) => time.getAttribute('datetime') ?? ''))
  expect(times.length).toBeGreaterThan(0)
  for (const time of times) expect(Math.abs(Date.parse(time) - Date.now()), time).toBeLessThan(10 * 60_000)
})

test('an outbox of two tabs is sent once, in order, three days later', async () => {
  const { bob, ...place } = await room('Three days')
  const context = await profile(browser, { allowed: NO_ANSWER })
  await context.clock.install()
  const first = await enter(context, program.url, 'Alice')
  await open(first, place.name)
  const second = await another(context, program.url, place)
  await context.setOffline(true)
  const texts = [1, 2, 3, 4].map((number) => `late ${number}`)
  for (const [at, text] of texts.entries()) {
    await say(at % 2 === 0 ? first : second, text)
    for (const page of [first, second]) await rows(page, text).waitFor()
  }
  await context.clock.fastForward(3 * 24 * 3_600_000)
  await first.getByText('You are offline. 4 messages are waiting.').waitFor()
  await context.setOffline(false)
  await context.clock.fastForward(60_000)
  for (const page of [first, second]) await rows(page, 'late 4').getByText(/^(Sent|Read)$/).waitFor()
  const { items } = await bob.get<{ items: { content: string }[] }>(`/api/messages?conversationId=${place.id}`)
  expect(items.map(({ content }) => content)).toEqual(texts)
})
