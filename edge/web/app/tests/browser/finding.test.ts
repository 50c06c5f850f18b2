/** Rooms and people that are found by name, and rooms that are opened by their link. */
import { beforeAll, expect, test } from 'vitest'
import { Caller, enterAs, focused, profile, rows, say, send, stage } from './harness'

const { program, browser } = await stage()

/** More rooms than one page of the list has. */
const ROOMS = 60
let olga: Caller
let adam: Caller
let oldest: string
beforeAll(async () => {
  ;[olga, adam] = (await Promise.all(['Olga', 'Adam Abel'].map((name) => Caller.register(program.url, name)))) as [Caller, Caller]
  const make = (name: string) => olga.post('/api/conversations', { type: 'group', name, participantIds: [adam.id] })
  oldest = (await make('The very first')).id
  for (let at = 1; at < ROOMS; at++) await make(`Room ${at}`)
})

test('a chat is found that is not among the loaded ones', async () => {
  const page = await enterAs(await profile(browser), olga)
  await page.locator('[data-room]').filter({ hasText: 'Room 59' }).waitFor()
  expect(await page.locator('[data-room]').filter({ hasText: 'The very first' }).count()).toBe(0)
  await page.keyboard.press('Control+k')
  await page.keyboard.type('first very')
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'The very first' }).waitFor()
  // What was looked for is found: the list is whole again.
  expect(await page.getByRole('searchbox').inputValue()).toBe('')
  await page.locator('[data-room]').filter({ hasText: 'Room 59' }).waitFor()
})

test('a person is found and written to without a mouse', async () => {
  const nora = await Caller.register(program.url, 'Nora Nilsson')
  const page = await enterAs(await profile(browser), olga)
  await page.locator('[data-room]').first().waitFor()
  await page.keyboard.press('Control+k')
  await page.keyboard.type(nora.username)
  await page.getByRole('heading', { name: 'People' }).waitFor()
  await page.keyboard.press('ArrowDown')
  await expect.poll(() => focused(page)).toContain('Nora Nilsson')
  await page.keyboard.press('ArrowUp')
  await expect.poll(() => focused(page)).toBe('input: ')
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'Nora Nilsson' }).waitFor()
  await say(page, 'Found you')
  await rows(page, 'Found you').getByText('Sent', { exact: true }).waitFor()
  // Next time the conversation is found, not the person a second time.
  await page.keyboard.press('Control+k')
  await page.keyboard.type('nora')
  const found = page.locator('.side :is([data-room], [data-person])')
  await expect.poll(() => page.locator('.side [aria-busy=true]').count()).toBe(0)
  expect(await found.count()).toBe(1)
  await page.keyboard.press('Escape')
  await page.locator('[data-room]').filter({ hasText: 'Room 59' }).waitFor()
})

test('a search that finds oneself says so', async () => {
  const page = await enterAs(await profile(browser), olga)
  await page.getByRole('searchbox').fill(olga.username)
  await page.getByRole('heading', { name: 'That is you.' }).waitFor()
  expect(await page.locator('[aria-busy=true]').count()).toBe(0)
})

test('a link opens a room that is not among the loaded ones', async () => {
  const page = await enterAs(await profile(browser), olga, `/c/${oldest}`)
  await page.getByRole('heading', { name: 'The very first' }).waitFor()
  await say(page, 'By its link')
  await rows(page, 'By its link').getByText('Sent', { exact: true }).waitFor()
})

test('a link to what does not exist or is not mine says so', async () => {
  const nora = await Caller.register(program.url, 'Nora')
  const page = await enterAs(await profile(browser, { allowed: /40[04]|422/ }), nora, `/c/${oldest}`)
  await page.getByRole('heading', { name: 'This conversation is not here' }).waitFor()
  for (const path of ['/c/01a21f7a-5b4f-7467-a14c-015cb871664e', '/c/nonsense']) {
    await page.goto(program.url + path)
    await page.getByRole('heading', { name: 'This conversation is not here' }).waitFor()
  }
  await page.getByRole('button', { name: 'Back to the chats' }).click()
  await page.getByRole('heading', { name: 'No conversations yet' }).waitFor()
})

test('a changed name is seen with the next message', async () => {
  const [mila, ben] = (await Promise.all(['Mila', 'Ben'].map((name) => Caller.register(program.url, name)))) as [Caller, Caller]
  const { id } = await mila.post('/api/conversations', { type: 'direct', participantIds: [ben.id] })
  const context = await profile(browser)
  await context.clock.install()
  const page = await enterAs(context, mila, `/c/${id}`)
  await page.getByRole('heading', { name: 'Ben', exact: true }).waitFor()
  await send(ben, 'PATCH', '/api/me', { displayName: 'Benjamin' })
  await page.clock.fastForward('01:01')
  await ben.post('/api/messages', { conversationId: id, content: 'My name is new' })
  await rows(page, 'My name is new').waitFor()
  await page.getByRole('heading', { name: 'Benjamin', exact: true }).waitFor()
  await page.locator('[data-room]').filter({ hasText: 'Benjamin' }).waitFor()
})
