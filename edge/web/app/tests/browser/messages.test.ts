import type { Locator, Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { Caller, enter, open, profile, rows, say, stage } from './harness'

const { program, browser } = await stage()

/** A group of Bob, who has read everything, and a writer. */
async function group(name: string, contents: readonly string[], writerName = 'Wilma Writer'): Promise<{ id: string; writer: Caller; bob: Caller; seqs: number[] }> {
  const [writer, bob] = [await Caller.register(program.url, writerName), await Caller.logIn(program.url, 'bob')]
  const { id } = await writer.post('/api/conversations', { type: 'group', name, participantIds: [bob.id] })
  const seqs: number[] = []
  for (const content of contents) seqs.push((await writer.post<{ seq: number }>('/api/messages', { conversationId: id, content })).seq)
  await bob.post('/api/messages/read', { conversationId: id, seq: 1_000_000 })
  return { id, writer, bob, seqs }
}

const numbered = (count: number) => Array.from({ length: count }, (_, index) => `Line ${index + 1}`)
const hasFocus = (row: Locator) => expect.poll(() => row.evaluate((element) => element === document.activeElement), { timeout: 10_000 }).toBe(true)
const focusIsIn = (row: Locator) => expect.poll(() => row.evaluate((element) => element.contains(document.activeElement)), { timeout: 10_000 }).toBe(true)
const composerHasFocus = (page: Page) => hasFocus(page.getByRole('textbox', { name: 'Message' }))

test('the history is one stop of Tab, and arrows move in it', async () => {
  await group('Keyboard room', numbered(40))
  const page = await enter(await profile(browser), program.url, 'Bob')
  await open(page, 'Keyboard room')
  await rows(page, 'Line 40').waitFor()
  expect(await page.locator('[data-row][tabindex="0"]').count()).toBe(1)
  expect(await page.locator('[data-row][tabindex="-1"] [tabindex="0"]').count()).toBe(0)
  await rows(page, 'Line 40').focus()
  await page.keyboard.press('ArrowUp')
  await hasFocus(rows(page, 'Line 39'))
  await page.keyboard.press('Home')
  await hasFocus(rows(page, 'Line 1'))
  await page.keyboard.press('PageDown')
  const first = await page.evaluate(() => Number(/Line (\d+)/.exec(document.activeElement?.textContent ?? '')?.[1]))
  expect(first).toBeGreaterThan(5)
  await page.keyboard.press('PageUp')
  await hasFocus(rows(page, 'Line 1'))
  await page.keyboard.press('End')
  await hasFocus(rows(page, 'Line 40'))
  // What has the focus is there after it has been scrolled out of sight.
  await page.locator('.scroller').hover()
  await page.mouse.wheel(0, -100_000)
  await rows(page, 'Line 1').waitFor()
  await hasFocus(rows(page, 'Line 40'))
  await page.keyboard.press('Escape')
  await composerHasFocus(page)
})

test('a message says who, what, when and how it stands', async () => {
  const { id, bob, writer, seqs } = await group('Spoken room', ['**Hello** there'])
  await bob.put(`/api/conversations/${id}/messages/${seqs[0]}/reactions/${encodeURIComponent('👍')}`)
  const page = await enter(await profile(browser), program.url, 'Bob')
  await open(page, 'Spoken room')
  await page.getByRole('article', { name: /^Wilma Writer: Hello there \(\d+:\d\d.*, 👍 1\)$/ }).waitFor()
  await say(page, 'my answer')
  await page.getByRole('article', { name: /^You: my answer \(.*, Sent\)$/ }).waitFor()
  await writer.post('/api/messages/read', { conversationId: id, seq: 1_000_000 })
  await page.getByRole('article', { name: /^You: my answer \(.*, Read by 1 person\)$/ }).waitFor()
  await page.getByRole('textbox', { name: 'Message' }).press('ArrowUp')
  await say(page, 'my better answer')
  await page.getByRole('article', { name: /^You: my better answer \(.*, edited, Read by 1 person\)$/ }).waitFor()
  // A live region over the history would be read from its beginning.
  expect(await page.locator('.scroller').evaluate((element) => element.closest('[aria-live], [role=log]') === null && element.querySelector('[aria-live], [role=log]') === null)).toBe(true)
})

test('selected text stays selected whatever becomes of its message', async () => {
  const { id, writer, bob, seqs } = await group('Copied room', ['a **word** of it'])
  const page = await enter(await profile(browser), program.url, 'Bob')
  await open(page, 'Copied room')
  const row = rows(page, 'word')
  await row.waitFor()
  await row.locator('strong').evaluate((element) => getSelection()?.selectAllChildren(element))
  const selected = () => page.evaluate(() => getSelection()?.toString())
  expect(await selected()).toBe('word')
  await writer.post('/api/messages', { conversationId: id, content: 'meanwhile' })
  await rows(page, 'meanwhile').waitFor()
  await writer.post('/api/messages/read', { conversationId: id, seq: 1_000_000 })
  await bob.put(`/api/conversations/${id}/messages/${seqs[0]}/reactions/${encodeURIComponent('👍')}`)
  await row.getByText('👍').waitFor()
  expect(await selected()).toBe('word')
})

test('a deleted message stays away until its event arrives', async () => {
  await group('Deleting room', ['theirs'])
  const context = await profile(browser)
  let isDeaf = false
  await context.routeWebSocket('**/ws', (socket) => {
    const server = socket.connectToServer()
    socket.onMessage((frame) => server.send(frame))
    server.onMessage((frame) => (isDeaf ? undefined : socket.send(frame)))
  })
  const page = await enter(context, program.url, 'Bob')
  await open(page, 'Deleting room')
  await say(page, 'mine')
  await rows(page, 'mine').getByText('Sent', { exact: true }).waitFor()
  await rows(page, 'mine').focus()
  await page.keyboard.press('Enter')
  await page.getByRole('menuitem', { name: 'Delete' }).click()
  isDeaf = true
  const deleted = page.waitForResponse((response) => response.request().method() === 'DELETE')
  await page.locator('.toast').getByRole('button', { name: 'Dismiss' }).click()
  expect((await deleted).ok()).toBe(true)
  // The page has seen the answer, and drawn what follows from it.
  await page.evaluate(() => new Promise((resolve) => setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(resolve)))))
  expect(await rows(page, 'mine').count()).toBe(0)
  await page.locator('[data-row]').last().getByText('Message deleted').waitFor()
})

test('the focus stays after a menu, a deletion and its undoing', async () => {
  await group('Focus room', ['theirs'])
  const page = await enter(await profile(browser), program.url, 'Bob')
  await open(page, 'Focus room')
  await say(page, 'mine')
  await rows(page, 'mine').getByText('Sent', { exact: true }).waitFor()
  const row = page.locator('[data-row]').last()
  await row.focus()
  await page.keyboard.press('Enter')
  await page.getByRole('menu').waitFor()
  await page.keyboard.press('Escape')
  await hasFocus(row)
  await row.getByRole('button', { name: 'More' }).click()
  await page.getByRole('menuitem', { name: 'Delete' }).click()
  await row.getByText('Message deleted').waitFor()
  await hasFocus(row)
  await page.getByRole('button', { name: 'Undo' }).focus()
  await page.keyboard.press('Enter')
  await rows(page, 'mine').waitFor()
  await hasFocus(row)
  // A reply goes on in the composer, whatever opened it.
  await page.keyboard.press('Enter')
  await page.getByRole('menuitem', { name: 'Reply' }).click()
  await composerHasFocus(page)
  await page.keyboard.press('Escape')
  await row.focus()
  await page.keyboard.press('Enter')
  await page.getByRole('menuitem', { name: 'React' }).press('Enter')
  await page.getByRole('searchbox', { name: 'Find an emoji' }).waitFor()
  await page.keyboard.press('Escape')
  await focusIsIn(row)
})

test('the emoji picker is searched and walked by keyboard', async () => {
  await group('Picker room', ['react to me'])
  const page = await enter(await profile(browser), program.url, 'Bob')
  await open(page, 'Picker room')
  const row = rows(page, 'react to me')
  await row.focus()
  await page.keyboard.press('+')
  const search = page.getByRole('searchbox', { name: 'Find an emoji' })
  await hasFocus(search)
  await page.keyboard.type('rocket')
  await page.keyboard.press('Enter')
  await row.getByRole('button', { name: '🚀 1: You' }).waitFor()
  await hasFocus(row)
  await page.keyboard.press('+')
  await hasFocus(search)
  await page.keyboard.press('ArrowDown')
  await hasFocus(page.getByRole('button', { name: 'thumbs up' }))
  await page.keyboard.press('ArrowRight')
  await hasFocus(page.getByRole('button', { name: 'red heart' }))
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('ArrowUp')
  await hasFocus(page.getByRole('button', { name: 'red heart' }))
  await page.keyboard.press('ArrowUp')
  await hasFocus(search)
  await page.keyboard.type('zzz')
  await page.getByText('Nothing found').waitFor()
  await page.keyboard.press('Escape')
  await page.getByRole('searchbox', { name: 'Find an emoji' }).waitFor({ state: 'detached' })
  await hasFocus(row)
})

test('a reaction names who reacted, and counts the others', async () => {
  const { id, writer, bob, seqs } = await group('Popular room', ['like me'])
  const people = []
  for (const name of ['Anna', 'Boris', 'Clara', 'Dora', 'Emil', 'Fritz', 'Greta']) people.push(await Caller.register(program.url, name))
  await writer.post(`/api/conversations/${id}/participants`, { userIds: people.map((person) => person.id) })
  for (const person of [...people, bob]) await person.put(`/api/conversations/${id}/messages/${seqs[0]}/reactions/${encodeURIComponent('👍')}`)
  const page = await enter(await profile(browser), program.url, 'Bob')
  await open(page, 'Popular room')
  const reaction = rows(page, 'like me').getByRole('button', { name: '👍 8: You, Anna, Boris, Clara, Dora, and 3 others' })
  await reaction.waitFor()
  expect(await reaction.getAttribute('title')).toBe('You, Anna, Boris, Clara, Dora, and 3 others')
})

test('what was deleted is shown nowhere, not even as a quote', async () => {
  const { id, writer, bob, seqs } = await group('Deleted room', ['a secret', 'harmless'])
  await writer.post('/api/messages', { conversationId: id, content: 'answers the secret', replyTo: seqs[0] })
  const { seq } = await writer.post<{ seq: number }>('/api/messages', { conversationId: id, content: 'goes too', replyTo: seqs[1] })
  await bob.post('/api/messages/read', { conversationId: id, seq: 1_000_000 })
  const page = await enter(await profile(browser), program.url, 'Bob')
  await open(page, 'Deleted room')
  await rows(page, 'answers the secret').locator('.quote').getByText('a secret').waitFor()
  await writer.delete(`/api/conversations/${id}/messages/${seqs[0]}`)
  await rows(page, 'answers the secret').locator('.quote').getByText('Message deleted').waitFor()
  expect(await page.getByText('a secret').count()).toBe(0)
  await writer.delete(`/api/conversations/${id}/messages/${seq}`)
  await rows(page, 'goes too').waitFor({ state: 'detached' })
  // The answer is gone, and with it what it quoted.
  await expect.poll(() => page.locator('.quote').count()).toBe(1)
})

test('the buttons of a message cover no time', async () => {
  await group('Tools room', ['short', 'a longer message that goes on for a while '.repeat(4), 'short again'])
  for (const width of [320, 1280]) {
    const page = await enter(await profile(browser, { viewport: { width, height: 720 } }), program.url, 'Bob')
    await open(page, 'Tools room')
    await say(page, `mine at ${width}`)
    await rows(page, `mine at ${width}`).getByText('Sent', { exact: true }).waitFor()
    for (const row of await page.locator('[data-row]').all()) {
      await row.hover()
      await row.focus()
      await row.locator('.tools').waitFor()
      const covered = await row.evaluate((element) => {
        const tools = element.querySelector('.tools')!.getBoundingClientRect()
        const overlaps = (other: DOMRect) => tools.left < other.right && other.left < tools.right && tools.top < other.bottom && other.top < tools.bottom
        const inside = tools.left >= 0 && tools.right <= innerWidth
        return { inside, over: [...document.querySelectorAll('[data-row] .markup, [data-row] time')].filter((part) => overlaps(part.getBoundingClientRect())).map((part) => part.textContent) }
      })
      expect({ width, ...covered }).toEqual({ width, inside: true, over: [] })
    }
  }
})

test('any script and any length stays within a narrow window', async () => {
  const contents = ['x'.repeat(8_192), '😀'.repeat(500), 'مرحبا بكم في العالم العربي الجميل', 'สวัสดีชาวโลกทุกคนที่อยู่ที่นี่ในวันนี้'.repeat(5), '```\n' + 'code '.repeat(80) + '\n```']
  const arabic = 'محمد عبد الرحمن الطويل جدا'
  const { id } = await group('ห้องสนทนาภาษาไทยที่มีชื่อยาวมาก', contents, arabic)
  const page = await enter(await profile(browser, { viewport: { width: 320, height: 640 } }), program.url, 'Bob')
  await page.goto(`${program.url}/c/${id}`)
  await page.locator('[data-row]').last().waitFor()
  for (let step = 0; step < 80; step++) {
    const wide = await page.evaluate(() => {
      const view = document.querySelector('.scroller')!
      view.scrollTop -= 400
      return [document.documentElement.scrollWidth - innerWidth, view.scrollWidth - view.clientWidth]
    })
    expect(wide).toEqual([0, 0])
    if (await page.getByText('This is the beginning').isVisible()) break
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))))
  }
  const name = page.locator('.name', { hasText: arabic }).first()
  expect(await name.evaluate((element) => getComputedStyle(element).direction)).toBe('rtl')
  const text = page.locator('.markup p', { hasText: 'مرحبا' })
  for (let step = 0; step < 80 && (await text.count()) === 0; step++) {
    await page.locator('.scroller').evaluate(async (element) => {
      element.scrollTop += 400
      await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))
    })
  }
  expect(await text.evaluate((element) => getComputedStyle(element).direction)).toBe('rtl')
})

test('the date of what is read is in sight, and once', async () => {
  await group('Dated room', numbered(80))
  await group('Short room', numbered(3))
  const page = await enter(await profile(browser), program.url, 'Bob')
  await open(page, 'Dated room')
  await rows(page, 'Line 80').waitFor()
  await page.locator('.floating').getByText('Today').waitFor()
  await open(page, 'Short room')
  await rows(page, 'Line 3').waitFor()
  await page.locator('.day').getByText('Today').waitFor()
  expect(await page.locator('.floating').count()).toBe(0)
})
