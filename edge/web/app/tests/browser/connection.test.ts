import { expect, test } from 'vitest'
import { Caller, enter, open, profile, rows, say, stage } from './harness'

const { program, browser } = await stage()

/** What a browser writes about calls that get no answer. */
const NO_ANSWER = /ERR_(CONNECTION|INTERNET|NETWORK)|WebSocket|503|Failed to load/

test('a lost network is shown within two seconds, on a phone too', async () => {
  const context = await profile(browser, { allowed: NO_ANSWER, viewport: { width: 360, height: 720 } })
  const page = await enter(context, program.url, 'Alice')
  await open(page, 'Bob')
  const banner = page.getByText('You are offline.')
  const start = performance.now()
  await context.setOffline(true)
  await banner.waitFor()
  expect(performance.now() - start).toBeLessThan(2_500)
  await say(page, 'from a tunnel')
  await page.getByText('1 message is waiting.').waitFor()
  await context.setOffline(false)
  await rows(page, 'from a tunnel').getByText(/^(Sent|Read)$/).waitFor()
  await banner.waitFor({ state: 'detached' })
})

test('"Try now" connects at once, however long the wait was', async () => {
  const context = await profile(browser, { allowed: NO_ANSWER })
  // As long as the path is closed, every attempt fails at once.
  let isClosed = false
  let attempts = 0
  await context.routeWebSocket('**/ws', (socket) => {
    attempts += 1
    if (isClosed) return void socket.close()
    socket.connectToServer()
  })
  const page = await enter(context, program.url, 'Alice')
  await open(page, 'Bob')
  isClosed = true
  await program.kill()
  await page.getByText(/Next try in ([5-9]|\d\d) seconds/).first().waitFor({ timeout: 40_000 })
  await program.run()
  const before = attempts
  const now = page.getByRole('button', { name: 'Try now' })
  await now.click()
  await expect.poll(() => attempts, { timeout: 2_000 }).toBe(before + 1)
  // It failed: the next attempt is soon again, without another click.
  await expect.poll(() => attempts, { timeout: 4_000 }).toBeGreaterThan(before + 1)
  isClosed = false
  await page.locator('.notices [role=status]').waitFor({ state: 'detached' })
  await say(page, 'back again')
  await rows(page, 'back again').getByText(/^(Sent|Read)$/).waitFor()
})

test('the wait for the next attempt is read out once', async () => {
  const context = await profile(browser, { allowed: NO_ANSWER })
  let isClosed = false
  const sockets = new Set<{ close: () => Promise<void> }>()
  await context.routeWebSocket('**/ws', (socket) => {
    if (isClosed) return void socket.close()
    sockets.add(socket)
    socket.connectToServer()
  })
  const page = await enter(context, program.url, 'Alice')
  isClosed = true
  for (const socket of sockets) await socket.close()
  await page.getByText(/Next try in [4-9] seconds/).first().waitFor({ timeout: 40_000 })
  await page.evaluate(() => {
    const heard: string[] = []
    const seen: string[] = []
    Object.assign(window, { heard, seen })
    const look = () => {
      const region = document.querySelector('.notices [role=status]')
      if (!region?.textContent?.includes('Next try')) return
      const spoken = region.cloneNode(true) as Element
      for (const silent of spoken.querySelectorAll('[aria-hidden=true]')) silent.remove()
      if (heard.at(-1) !== spoken.textContent) heard.push(spoken.textContent ?? '')
      if (seen.at(-1) !== region.textContent) seen.push(region.textContent)
    }
    look()
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true })
  })
  await expect.poll(() => page.evaluate(() => (window as unknown as { seen: string[] }).seen.length)).toBeGreaterThan(2)
  expect(await page.evaluate(() => (window as unknown as { heard: string[] }).heard)).toEqual([expect.stringMatching(/Next try in [4-9] seconds/)])
})

test('catching up says how many messages are to go', async () => {
  const context = await profile(browser, { allowed: NO_ANSWER })
  let [isSlow, isClosed] = [false, false]
  const sockets = new Set<{ close: () => Promise<void> }>()
  await context.routeWebSocket('**/ws', (socket) => {
    if (isClosed) return void socket.close()
    sockets.add(socket)
    const server = socket.connectToServer()
    let line = Promise.resolve()
    server.onMessage((frame) => {
      const delay = isSlow && frame.toString().includes('"message:new"') ? 150 : 0
      line = line.then(() => new Promise((resolve) => setTimeout(() => resolve(socket.send(frame)), delay)))
    })
  })
  const page = await enter(context, program.url, 'Alice')
  await open(page, 'Bob')
  const bob = await Caller.logIn(program.url, 'bob')
  const { items } = await bob.get<{ items: { id: string; type: string }[] }>('/api/conversations')
  const { id } = items.find(({ type }) => type === 'direct')!
  isClosed = true
  for (const socket of sockets) await socket.close()
  for (let number = 1; number <= 40; number++) await bob.post('/api/messages', { conversationId: id, content: `missed ${number}` })
  await page.evaluate(() => {
    const seen: number[] = []
    Object.assign(window, { seen })
    new MutationObserver(() => {
      const count = /(\d+) messages? to go/.exec(document.querySelector('.notices')?.textContent ?? '')?.[1]
      if (count !== undefined) seen.push(Number(count))
    }).observe(document.body, { subtree: true, childList: true, characterData: true })
  })
  ;[isSlow, isClosed] = [true, false]
  await rows(page, 'missed 40').waitFor({ timeout: 40_000 })
  await page.getByText(/to go/).waitFor({ state: 'detached' })
  const seen = await page.evaluate(() => (window as unknown as { seen: number[] }).seen)
  expect(seen.length).toBeGreaterThan(3)
  expect(seen).toEqual(seen.toSorted((a, b) => b - a))
})

test('what opens later opens without a connection', async () => {
  const context = await profile(browser, { allowed: NO_ANSWER })
  const page = await enter(context, program.url, 'Alice')
  await page.evaluate(() => new Promise((resolve) => requestIdleCallback(resolve)))
  await page.waitForLoadState('networkidle')
  await context.setOffline(true)
  await page.getByRole('button', { name: 'New conversation' }).click()
  await page.getByRole('dialog').waitFor()
  await page.keyboard.press('Escape')
  await page.getByRole('link', { name: 'Settings' }).click()
  await page.getByRole('heading', { name: 'Settings' }).waitFor()
})

test('a part that cannot be fetched says so, and opens when it can', async () => {
  const context = await profile(browser, { allowed: NO_ANSWER })
  let isBlocked = true
  await context.route(/\/assets\/(NewConversation|Settings)-.*\.js/, (route) => (isBlocked ? route.abort() : route.continue()))
  const page = await enter(context, program.url, 'Alice')
  await page.getByRole('button', { name: 'New conversation' }).click()
  await page.getByRole('main').getByText('A part of Natter could not be loaded.').waitFor()
  await page.getByRole('link', { name: 'Settings' }).click()
  const again = page.getByRole('alert').getByRole('button', { name: 'Try again' })
  await again.waitFor()
  isBlocked = false
  await again.click()
  await page.getByRole('heading', { name: 'Settings' }).waitFor()
  await page.getByRole('button', { name: 'New conversation' }).click()
  await page.getByRole('dialog').waitFor()
})

test('menu and picker that were never loaded open after an outage', async () => {
  const context = await profile(browser, { allowed: /ERR_FAILED|Service Worker registration blocked/, serviceWorkers: 'block' })
  let isBlocked = true
  await context.route(/\/assets\/(Menu|Picker)-.*\.js/, (route) => (isBlocked ? route.abort() : route.continue()))
  const page = await enter(context, program.url, 'Alice')
  await open(page, 'Natter')
  const row = rows(page, 'Mention @echo and it answers.')
  const failed = page.getByRole('main').getByText('A part of Natter could not be loaded.')
  for (const [button, part] of [['More', page.getByRole('menu')], ['React', page.locator('.picker')]] as const) {
    isBlocked = true
    await row.hover()
    await row.getByRole('button', { name: button }).click()
    await failed.waitFor()
    await page.getByRole('button', { name: 'Dismiss' }).click()
    await failed.waitFor({ state: 'detached' })
    isBlocked = false
    await row.hover()
    await row.getByRole('button', { name: button }).click()
    await part.waitFor()
    await page.keyboard.press('Escape')
    await part.waitFor({ state: 'detached' })
  }
})
