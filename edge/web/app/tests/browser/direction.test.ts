/** Names and texts that are written in the other direction than the page. */
import type { Locator } from 'playwright-core'
import { expect, test } from 'vitest'
import { Caller, enter, open, profile, stage } from './harness'

const { program, browser } = await stage()

/** Where the letters of an element begin and end, whatever its box is. */
const letters = (target: Locator) =>
  target.evaluate((element) => {
    const range = document.createRange()
    range.selectNodeContents(element)
    const { left, right } = range.getBoundingClientRect()
    return { left, right }
  })

const WELCOME = 'مرحبا بكم جميعا في هذه المحادثة الطويلة التي لا تتسع لها القائمة أبدا مهما حاولنا'

test('a name stands beside its picture, in any script', async () => {
  const omar = await Caller.register(program.url, 'محمد عبد الله')
  const alice = await Caller.logIn(program.url, 'alice')
  const { id } = await omar.post('/api/conversations', { type: 'group', name: 'مجموعة', participantIds: [alice.id] })
  await omar.post('/api/messages', { conversationId: id, content: WELCOME })
  const page = await enter(await profile(browser), program.url, 'Alice')
  await open(page, 'مجموعة')
  const gap = async (picture: Locator, name: Locator) => (await letters(name)).left - (await letters(picture)).right
  const header = page.locator('.pane header')
  expect(await gap(header.locator('.avatar'), header.locator('h1'))).toBeLessThan(40)
  const row = page.locator('[data-room]').filter({ hasText: 'مجموعة' })
  expect(await gap(row.locator('.avatar'), row.locator('.name'))).toBeLessThan(40)
  await page.getByRole('button', { name: 'Details' }).click()
  const member = page.getByRole('dialog').getByRole('listitem').filter({ hasText: omar.username })
  expect(await gap(member.locator('.avatar'), member.locator('.name'))).toBeLessThan(40)
})

test('a preview shows the beginning of its text, in any script', async () => {
  const omar = await Caller.register(program.url, 'Omar')
  const alice = await Caller.logIn(program.url, 'alice')
  const { id } = await omar.post('/api/conversations', { type: 'group', name: 'Preview', participantIds: [alice.id] })
  await omar.post('/api/messages', { conversationId: id, content: WELCOME })
  const page = await enter(await profile(browser), program.url, 'Alice')
  const row = page.locator('[data-room]').filter({ hasText: 'Preview' })
  const text = row.getByText(WELCOME)
  /** Whether the first letter is inside of what cuts the text off. */
  const isSeen = await text.evaluate((element) => {
    const node = document.createTreeWalker(element, NodeFilter.SHOW_TEXT).nextNode()!
    const range = document.createRange()
    range.setStart(node, 0)
    range.setEnd(node, 1)
    const letter = range.getBoundingClientRect()
    let cut: Element = element
    while (getComputedStyle(cut).overflowX === 'visible') cut = cut.parentElement!
    const { left, right } = cut.getBoundingClientRect()
    return letter.left >= left - 1 && letter.right <= right + 1 && cut.scrollWidth > cut.clientWidth
  })
  expect(isSeen).toBe(true)
})
