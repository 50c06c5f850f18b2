/** Logging in and out, one's own account, and where the keyboard is meanwhile. */
import { expect, test } from 'vitest'
import { Caller, enter, enterAs, focused, profile, send, stage } from './harness'

const { program, browser } = await stage()

test('a wrong current password is asked for once', async () => {
  const mia = await Caller.register(program.url, 'Mia')
  const page = await enterAs(await profile(browser, { allowed: /401/ }), mia, '/settings')
  let attempts = 0
  page.on('request', (request) => (attempts += request.url().endsWith('/api/me/password') ? 1 : 0))
  await page.getByLabel('Current password').fill('wrong')
  await page.getByLabel('New password').fill('a new password')
  await page.getByRole('button', { name: 'Change password' }).click()
  await page.getByText('This is not your current password.').waitFor()
  expect(await page.getByLabel('Current password').getAttribute('aria-invalid')).toBe('true')
  expect(attempts).toBe(1)
  await page.getByLabel('Current password').fill('correct horse')
  await page.getByRole('button', { name: 'Change password' }).click()
  await page.getByText('Password changed').first().waitFor()
  expect(attempts).toBe(2)
})

test('settings that could not be loaded are, with a connection', async () => {
  const mia = await Caller.register(program.url, 'Mia')
  const context = await profile(browser, { allowed: /ERR_INTERNET_DISCONNECTED|WebSocket/ })
  const page = await enterAs(context, mia)
  await page.evaluate(() => new Promise((resolve) => requestIdleCallback(resolve)))
  await page.waitForLoadState('networkidle')
  await context.setOffline(true)
  await page.getByText('You are offline.').waitFor()
  await page.getByRole('link', { name: 'Settings' }).press('Enter')
  await page.locator('.settings').getByText('No connection to Natter.').last().waitFor()
  expect(await focused(page)).toBe('h1: Settings')
  await context.setOffline(false)
  await page.getByText('You have blocked no one.').waitFor()
  await page.getByText('This one').waitFor()
  expect(await page.locator('.settings').getByText('No connection to Natter.').count()).toBe(0)
})

test('the same note is shown once', async () => {
  const mia = await Caller.register(program.url, 'Mia')
  const page = await enterAs(await profile(browser), mia, '/settings')
  const name = page.getByLabel('Your name')
  for (const next of ['Mia B', 'Mia C']) {
    await name.fill(next)
    const answer = page.waitForResponse((response) => response.url().endsWith('/api/me') && response.request().method() === 'PATCH')
    await name.press('Enter')
    await answer
    await page.locator('.toast').getByText('Saved').first().waitFor()
  }
  await page.getByRole('heading', { name: 'Settings' }).waitFor()
  expect(await page.locator('.toast').count()).toBe(1)
})

test('whoever logs in after a log-out begins at the chats', async () => {
  const context = await profile(browser)
  const page = await enter(context, program.url, 'Alice')
  await page.getByRole('link', { name: 'Settings' }).click()
  await page.getByRole('button', { name: 'Log out', exact: true }).click()
  await page.getByRole('heading', { name: 'Log in' }).waitFor()
  expect(new URL(page.url()).pathname).toBe('/')
  await page.getByRole('button', { name: /Bob/ }).click()
  await page.getByRole('heading', { name: 'Choose a conversation' }).waitFor()
})

test('a link is still open after the log-in that it needed', async () => {
  const mia = await Caller.register(program.url, 'Mia')
  const ben = await Caller.register(program.url, 'Ben')
  const { id } = await mia.post('/api/conversations', { type: 'direct', participantIds: [ben.id] })
  const page = await enterAs(await profile(browser), mia, `/c/${id}`)
  await page.getByRole('heading', { name: 'Ben', exact: true }).waitFor()
})

test('a call that meets an ended session says that it was ended', async () => {
  const mia = await Caller.register(program.url, 'Mia')
  const context = await profile(browser, { allowed: /401/ })
  // The socket says it as well, and may be the slower one.
  await context.routeWebSocket(/\/ws$/, () => undefined)
  const page = await enterAs(context, mia, '/settings')
  // None of the page's own calls is to meet it first.
  await page.waitForLoadState('networkidle')
  await send(mia, 'POST', '/api/me/password', { current: 'correct horse', next: 'another password' })
  await page.getByLabel('Your name').fill('Mia M.')
  await page.getByRole('button', { name: 'Save' }).click()
  await page.getByText('You were logged out in another window').waitFor()
})

test('a session on another device is seen and ended', async () => {
  const mia = await Caller.register(program.url, 'Mia')
  const [here, there] = await Promise.all([profile(browser, { locale: 'en-GB' }), profile(browser, { allowed: /401/ })])
  const other = await enterAs(there, mia)
  const page = await enterAs(here, mia, '/settings')
  const sessions = page.getByRole('region', { name: 'Sessions' }).getByRole('listitem')
  // That of the calls beside the pages is the third.
  await expect.poll(() => sessions.count()).toBe(3)
  expect(await sessions.first().innerText()).toContain('This one')
  expect(await sessions.first().getByRole('button').count()).toBe(0)
  // Day and time as in the browser's region.
  const { items } = await mia.get<{ items: { createdAt: string }[] }>('/api/auth/sessions')
  const begun = await page.evaluate((all) => all.map((at) => new Intl.DateTimeFormat('en-GB', { dateStyle: 'full', timeStyle: 'short' }).format(new Date(at))), items.map(({ createdAt }) => createdAt))
  for (const at of begun) await sessions.getByText(`Since ${at}`, { exact: true }).first().waitFor()
  // The newest of the others is the one of the other page.
  await sessions.nth(1).getByRole('button').click()
  await other.getByText('You were logged out in another window or on another device.').waitFor()
  await expect.poll(() => sessions.count()).toBe(2)
  await page.getByRole('button', { name: 'Log out everywhere' }).click()
  await page.getByRole('heading', { name: 'Log in' }).waitFor()
})

test('an address that does not exist says so', async () => {
  const page = await enter(await profile(browser, { allowed: /404/ }), program.url, 'Alice')
  expect((await page.goto(`${program.url}/nonsense`))?.status()).toBe(404)
  await page.getByRole('heading', { name: 'This page does not exist' }).waitFor()
  await page.getByRole('button', { name: 'To the start' }).click()
  await page.locator('[data-room]').first().waitFor()
  expect(new URL(page.url()).pathname).toBe('/')
})

test('the focus is never lost with what had it', async () => {
  const context = await profile(browser)
  const page = await context.newPage()
  await page.goto(program.url)
  const at = (what: string) => expect.poll(() => focused(page)).toBe(what)
  await page.getByRole('link', { name: 'Create an account' }).press('Enter')
  await at('h1: Create an account')
  await page.getByRole('link', { name: 'Log in' }).press('Enter')
  await at('h1: Log in')
  await page.getByRole('button', { name: /Alice/ }).press('Enter')
  await at('h1: Chats')
  await page.getByRole('button', { name: 'New conversation' }).press('Enter')
  await at('input: ')
  await page.keyboard.press('Escape')
  await at('button: New conversation')
  await page.getByRole('link', { name: 'Settings' }).press('Enter')
  await at('h1: Settings')
  await page.getByRole('button', { name: 'Log out', exact: true }).press('Enter')
  await at('h1: Log in')
})

for (const [width, height] of [[320, 640], [320, 256]] as const) {
  test(`everything in a dialog can be reached: ${width} × ${height}`, async () => {
    const context = await profile(browser, { viewport: { width, height } })
    const page = await enter(context, program.url, 'Alice')
    const check = async (button: string) => {
      const dialog = page.getByRole('dialog')
      await dialog.waitFor()
      expect(await dialog.evaluate((element) => element.scrollWidth - element.clientWidth)).toBe(0)
      const last = dialog.getByRole('button', { name: button })
      await last.scrollIntoViewIfNeeded()
      const box = await last.boundingBox()
      expect(box !== null && box.x >= 0 && box.y >= 0 && box.x + box.width <= width && box.y + box.height <= height, JSON.stringify(box)).toBe(true)
      await page.keyboard.press('Escape')
      await dialog.waitFor({ state: 'detached' })
    }
    await page.getByRole('button', { name: 'New conversation' }).click()
    await page.getByRole('dialog').getByLabel('Find people').fill('e')
    await page.getByRole('dialog').getByRole('button', { name: 'Echo' }).waitFor()
    await check('Start the conversation')
    await page.locator('[data-room]').filter({ hasText: 'Natter' }).click()
    await page.getByRole('button', { name: 'Details' }).click()
    await check('Leave the group')
  })
}

test('an account is deleted with its password, and others see it', async () => {
  const [mia, ben] = [await Caller.register(program.url, 'Mia'), await Caller.register(program.url, 'Ben')]
  const { id } = await mia.post('/api/conversations', { type: 'direct', participantIds: [ben.id] })
  await mia.post('/api/messages', { conversationId: id, content: 'soon gone' })
  const page = await enterAs(await profile(browser, { allowed: /401/ }), mia, '/settings')
  const button = page.getByRole('button', { name: 'Delete account' })
  await button.click()
  expect(await focused(page)).toBe('input: ')
  await page.getByText('This cannot be undone.', { exact: false }).waitFor()
  await page.getByRole('button', { name: 'Cancel' }).click()
  await button.click()
  const form = page.locator('form', { hasText: 'This cannot be undone.' })
  await form.getByRole('textbox', { name: 'Password' }).fill('wrong')
  await form.getByRole('button', { name: 'Delete my account for good' }).click()
  await page.getByText('This is not your current password.').waitFor()
  await form.getByRole('textbox', { name: 'Password' }).fill('correct horse')
  await form.getByRole('button', { name: 'Delete my account for good' }).click()
  await page.getByText('Your account was deleted.').waitFor()
  await page.getByRole('heading', { name: 'Log in' }).waitFor()

  await expect.poll(async () => (await ben.get<{ erased?: boolean }>(`/api/users/${mia.id}`)).erased, { timeout: 15_000 }).toBe(true)
  const other = await enterAs(await profile(browser), ben, `/c/${id}`)
  await other.getByRole('heading', { name: 'Deleted user' }).waitFor()
  await other.getByText('Message deleted').first().waitFor()
  expect(await other.getByText('soon gone').count()).toBe(0)
})
