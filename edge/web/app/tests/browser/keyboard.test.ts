/** Everything that people do, without a pointer: no click, no hover, no focus that is set by the test. */
import type { Locator, Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { profile, rows, stage } from './harness'

const { program, browser } = await stage()

const isFocused = (target: Locator) => target.evaluate((element) => element === document.activeElement)

/** Tab, or Shift+Tab, until the target has the focus; as far as a round through the page. */
async function tabTo(page: Page, target: Locator, key: 'Tab' | 'Shift+Tab' = 'Tab'): Promise<void> {
  await target.waitFor()
  for (let step = 0; step < 80; step++) {
    if (await isFocused(target)) return
    await page.keyboard.press(key)
  }
  throw new Error(`${key} does not reach ${target}`)
}

const field = (page: Page) => page.getByRole('textbox', { name: 'Message' })

async function type(page: Page, label: string, text: string): Promise<void> {
  await tabTo(page, page.getByLabel(label, { exact: true }))
  await page.keyboard.type(text)
}

async function press(page: Page, role: 'button' | 'link', name: string | RegExp, key: 'Tab' | 'Shift+Tab' = 'Tab'): Promise<void> {
  await tabTo(page, page.getByRole(role, { name, exact: true }).first(), key)
  await page.keyboard.press('Enter')
}

async function register(page: Page): Promise<void> {
  await page.goto(program.url)
  await press(page, 'link', 'Create an account')
  await type(page, 'Your name', 'Kay Board')
  await type(page, 'Username', 'kay')
  await type(page, 'Email', 'kay@example.org')
  await type(page, 'Password', 'a long password')
  await page.keyboard.press('Enter')
  await page.getByText('No conversations yet').waitFor()
}

/** Chosen from what the search in the dialog finds. */
async function choose(page: Page, query: string, name: RegExp): Promise<void> {
  const search = page.getByRole('dialog').getByRole('searchbox')
  await tabTo(page, search)
  await page.keyboard.press('Control+a')
  await page.keyboard.type(query)
  const person = page.getByRole('dialog').getByRole('button', { name })
  await tabTo(page, person.first())
  await page.keyboard.press('Space')
}

async function logIn(page: Page): Promise<void> {
  await page.getByRole('heading', { name: 'Log in' }).waitFor()
  await type(page, 'Username or email', 'kay')
  await type(page, 'Password', 'a long password')
  await page.keyboard.press('Enter')
  await page.locator('[data-room]').first().waitFor()
}

async function send(page: Page, text: string): Promise<void> {
  await tabTo(page, field(page))
  await page.keyboard.type(text)
  await page.keyboard.press('Enter')
  await rows(page, text).getByText(/^(Sent|Read)$/).waitFor()
}

/** From the composer into the history, which is one stop, and there to the newest message. */
async function toNewest(page: Page, text: string): Promise<void> {
  await tabTo(page, page.locator('[data-row][tabindex="0"]'), 'Shift+Tab')
  await page.keyboard.press('End')
  await expect.poll(() => isFocused(rows(page, text))).toBe(true)
}

test('the whole tour by keyboard', async () => {
  const page = await (await profile(browser)).newPage()
  await register(page)

  await press(page, 'button', 'New conversation')
  await choose(page, 'bob', /Bob/)
  await press(page, 'button', 'Start the conversation')
  await page.getByRole('heading', { name: 'Bob' }).waitFor()
  await send(page, 'Hello Bob')

  await press(page, 'button', 'New conversation', 'Shift+Tab')
  await choose(page, 'bob', /Bob/)
  await choose(page, 'alice', /Alice/)
  await type(page, 'Name of the group', 'Keys')
  await press(page, 'button', /^Create a group/)
  await page.getByRole('heading', { name: 'Keys' }).waitFor()

  await send(page, 'First')
  await page.keyboard.press('ArrowUp')
  await page.keyboard.type(' and best')
  await page.keyboard.press('Enter')
  await rows(page, 'First and best').getByText('edited').waitFor()

  await toNewest(page, 'First and best')
  await page.keyboard.press('r')
  await expect.poll(() => isFocused(field(page))).toBe(true)
  await send(page, 'An answer')
  await rows(page, 'An answer').getByRole('button', { name: /First and best/ }).waitFor()

  await toNewest(page, 'An answer')
  await page.keyboard.press('+')
  await page.locator('.picker button').first().waitFor()
  await page.keyboard.type('party')
  await page.keyboard.press('ArrowDown')
  await expect.poll(() => isFocused(page.locator('.picker').getByText('🎉'))).toBe(true)
  await page.keyboard.press('Enter')
  await rows(page, 'An answer').getByRole('button', { name: /🎉/ }).waitFor()

  await tabTo(page, field(page))
  await toNewest(page, 'An answer')
  await page.keyboard.press('Delete')
  await press(page, 'button', 'Undo')
  await rows(page, 'An answer').waitFor()
  await tabTo(page, field(page))
  await toNewest(page, 'An answer')
  await page.keyboard.press('Delete')
  await press(page, 'button', 'Dismiss')
  await rows(page, 'An answer').waitFor({ state: 'detached' })

  await page.keyboard.press('Control+k')
  await page.keyboard.type('bob')
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'Bob' }).waitFor()
  await press(page, 'button', 'Details', 'Shift+Tab')
  await press(page, 'button', 'Block')
  await tabTo(page, page.getByRole('dialog').getByRole('button', { name: 'Unblock', exact: true }))
  await page.keyboard.press('Enter')
  await page.getByRole('button', { name: 'Block', exact: true }).waitFor()
  await page.keyboard.press('Escape')
  await page.getByRole('dialog').waitFor({ state: 'detached' })

  await press(page, 'link', 'Settings', 'Shift+Tab')
  await page.getByRole('heading', { name: 'Settings' }).waitFor()
  await tabTo(page, page.getByRole('radio', { name: 'System' }))
  await page.keyboard.press('ArrowRight')
  await page.keyboard.press('ArrowRight')
  expect(await page.evaluate(() => document.documentElement.dataset['theme'])).toBe('dark')
  await press(page, 'button', 'Log out')
  await logIn(page)
  expect(await page.locator('[data-room]').count()).toBe(2)
})
