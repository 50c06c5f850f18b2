import { expect, test } from 'vitest'
import { Caller, enter, open, profile, rows, say, stage } from './harness'

const { program, browser } = await stage()

test('two people talk, and see what the other has read', async () => {
  const [one, other] = [await profile(browser), await profile(browser)]
  const [alice, bob] = [await enter(one, program.url, 'Alice'), await enter(other, program.url, 'Bob')]
  await open(alice, 'Bob')
  await say(alice, 'Are you there?')
  await rows(alice, 'Are you there?').waitFor()
  const room = bob.locator('[data-room]').filter({ hasText: 'Are you there?' })
  await room.getByText(/unread message/).waitFor()
  await expect.poll(() => bob.title()).toMatch(/^\(\d+\) /)
  await open(bob, 'Alice')
  await rows(bob, 'Are you there?').waitFor()
  await bob.getByRole('textbox', { name: 'Message' }).pressSequentially('Yes')
  await alice.getByText('Bob is typing…').waitFor()
  await bob.keyboard.press('Enter')
  await rows(alice, 'Yes').waitFor()
  await rows(alice, 'Are you there?').getByText('Read', { exact: true }).waitFor()
  await bob.locator('[data-room][aria-current=page]').getByText(/unread message/).waitFor({ state: 'detached' })
})

test('a message is there once after a reload in mid-send', async () => {
  const [one, other] = [await profile(browser), await profile(browser)]
  // The server takes the message, and its answer is lost on the way.
  let isDeaf = false
  await one.routeWebSocket('**/ws', (socket) => {
    const server = socket.connectToServer()
    socket.onMessage((frame) => server.send(frame))
    server.onMessage((frame) => {
      if (!isDeaf) socket.send(frame)
    })
  })
  const [alice, bob] = [await enter(one, program.url, 'Alice'), await enter(other, program.url, 'Bob')]
  await open(alice, 'Bob')
  await rows(alice, 'Hi Alice, this is just between us.').waitFor()
  isDeaf = true
  await say(alice, 'On its way')
  await rows(alice, 'On its way').getByText('Sending').waitFor()
  await open(bob, 'Alice')
  await rows(bob, 'On its way').waitFor()
  isDeaf = false
  await alice.reload()
  await rows(alice, 'On its way').getByText(/^(Sent|Read)$/).waitFor()
  await say(alice, 'And one more')
  await rows(bob, 'And one more').waitFor()
  expect(await rows(bob, 'On its way').count()).toBe(1)
  expect(await rows(alice, 'On its way').count()).toBe(1)
})

test('messages written while the program is gone arrive in order', async () => {
  const context = await profile(browser, { allowed: /ERR_CONNECTION|WebSocket|503|Failed to load/ })
  const alice = await enter(context, program.url, 'Alice')
  await open(alice, 'Bob')
  await rows(alice, 'Hi Alice, this is just between us.').waitFor()
  await program.kill()
  for (const text of ['first', 'second', 'third']) await say(alice, text)
  await rows(alice, 'third').getByText('Sending').waitFor()
  await alice.getByText(/No connection|Connecting/).first().waitFor()
  await program.run()
  await rows(alice, 'third').getByText(/^(Sent|Read)$/).waitFor()
  const texts = await alice.locator('[data-row]').allInnerTexts()
  const order = texts.flatMap((text) => ['first', 'second', 'third'].filter((word) => text.startsWith(word)))
  expect(order).toEqual(['first', 'second', 'third'])
})

test('older messages load without a jump, and few rows exist', async () => {
  const writer = await Caller.register(program.url, 'Wilma Writer')
  const bob = await Caller.logIn(program.url, 'bob')
  const { id } = await writer.post('/api/conversations', { type: 'group', name: 'Long room', participantIds: [bob.id] })
  for (let number = 1; number <= 160; number++) {
    const content = `Message ${number} ${'with some more words '.repeat(number % 7)}`.trim()
    await writer.post('/api/messages', { conversationId: id, content })
  }
  await bob.post('/api/messages/read', { conversationId: id, seq: 1_000_000 })
  const context = await profile(browser)
  const page = await enter(context, program.url, 'Bob')
  await open(page, 'Long room')
  const scroller = page.locator('.scroller')
  const isAtEnd = () => scroller.evaluate((element) => element.scrollHeight - element.clientHeight - element.scrollTop <= 2)
  await expect.poll(isAtEnd).toBe(true)
  await page.locator('[data-row]').getByText('Message 160 with').waitFor()
  let [pages, height] = [0, 0]
  for (let step = 0; step < 400; step++) {
    // A row that is on the screen moves as far as the reader does, whatever comes in above it.
    const moved = await scroller.evaluate(async (element) => {
      const frame = () => new Promise((resolve) => requestAnimationFrame(resolve))
      const [top, from] = [element.getBoundingClientRect().top, element.scrollTop]
      const anchor = [...element.querySelectorAll('[data-row]')].find((row) => row.getBoundingClientRect().top >= top)
      const [key, before] = [anchor?.getAttribute('data-row'), anchor?.getBoundingClientRect().top ?? 0]
      element.scrollTop -= 200
      for (let count = 0; count < 8; count++) await frame()
      const after = element.querySelector(`[data-row="${key}"]`)?.getBoundingClientRect().top
      const by = after === undefined || from < 200 ? 0 : Math.abs(after - before - 200)
      return { by, key, height: element.scrollHeight, top: element.scrollTop, rows: element.querySelectorAll('li').length }
    })
    expect(moved.by, JSON.stringify(moved)).toBeLessThanOrEqual(1)
    expect(moved.rows).toBeLessThanOrEqual(250)
    if (moved.height > height + 1_000) pages += 1
    height = moved.height
    if (moved.top === 0 && (await page.getByText('This is the beginning of the conversation.').isVisible())) break
  }
  expect(pages).toBeGreaterThan(1)
  await rows(page, 'Message 7').waitFor()
  await page.getByRole('button', { name: 'To the newest' }).click()
  await page.locator('[data-row]').getByText('Message 160 with').waitFor()
  await expect.poll(isAtEnd).toBe(true)
  // A link to a message that is not loaded: it is, with a seam to what is.
  const { items } = await bob.get<{ items: { seq: number; content: string }[] }>(`/api/messages?conversationId=${id}&after=0&limit=20`)
  const { seq } = items.find(({ content }) => content === 'Message 14')!
  await page.goto(`${program.url}/c/${id}/${seq}`)
  await expect(rows(page, 'Message 14').evaluate((row) => row.getBoundingClientRect().top)).resolves.toBeGreaterThan(0)
  // And where nothing of the room is held yet.
  const elsewhere = await enter(await profile(browser), program.url, 'Bob')
  await elsewhere.goto(`${program.url}/c/${id}/${seq}`)
  await rows(elsewhere, 'Message 14').waitFor()
})

test('a reader who is far up is not pulled down', async () => {
  const writer = await Caller.register(program.url, 'Wanda Writer')
  const bob = await Caller.logIn(program.url, 'bob')
  const { id } = await writer.post('/api/conversations', { type: 'group', name: 'Busy room', participantIds: [bob.id] })
  for (let number = 1; number <= 60; number++) await writer.post('/api/messages', { conversationId: id, content: `Line ${number}` })
  await bob.post('/api/messages/read', { conversationId: id, seq: 1_000_000 })
  const context = await profile(browser)
  const page = await enter(context, program.url, 'Bob')
  await open(page, 'Busy room')
  await rows(page, 'Line 60').waitFor()
  const scroller = page.locator('.scroller')
  await scroller.hover()
  await page.mouse.wheel(0, -600)
  await page.getByRole('button', { name: 'To the newest' }).waitFor()
  const before = await scroller.evaluate((element) => element.scrollTop)
  for (const content of ['Breaking', 'News']) await writer.post('/api/messages', { conversationId: id, content })
  await page.getByRole('button', { name: '2 new messages' }).waitFor()
  expect(Math.abs((await scroller.evaluate((element) => element.scrollTop)) - before)).toBeLessThanOrEqual(1)
  await page.getByRole('button', { name: '2 new messages' }).click()
  await rows(page, 'News').waitFor()
})

test('a tab that comes to the front asks who is online', async () => {
  await enter(await profile(browser), program.url, 'Bob')
  const context = await profile(browser)
  await context.addInitScript(`Object.defineProperty(document, 'hidden', { get: () => window.isSeen !== true })`)
  const page = await enter(context, program.url, 'Alice')
  const asked = page.waitForRequest('**/api/presence/status/batch', { timeout: 10_000 })
  await page.evaluate(`window.isSeen = true; document.dispatchEvent(new Event('visibilitychange'))`)
  await asked
  await page.locator('[data-room]').filter({ hasText: 'Bob' }).getByText('Online', { exact: true }).first().waitFor()
})
