import { expect, test } from 'vitest'
import { Caller, enter, open, profile, rows, say, stage } from './harness'

const { program, browser } = await stage()

test('who signs up is logged in, and still is after a reload', async () => {
  const context = await profile(browser)
  const page = await context.newPage()
  await page.goto(program.url)
  await page.getByRole('link', { name: 'Create an account' }).click()
  await page.getByLabel('Your name').fill('Zoë Müller')
  await page.getByLabel('Username').fill('zoe.m')
  await page.getByLabel('Email').fill('zoe@example.org')
  await page.getByRole('textbox', { name: 'Password' }).fill('a long password')
  await page.getByRole('button', { name: 'Create an account' }).click()
  await page.getByText('No conversations yet').waitFor()
  await page.reload()
  await page.getByText('No conversations yet').waitFor()
  expect(new URL(page.url()).pathname).toBe('/')
})

test('a form says which field was refused, and why', async () => {
  const page = await (await profile(browser, { allowed: /409|401|422/ })).newPage()
  await page.goto(`${program.url}/register`)
  await page.getByLabel('Username').fill('alice')
  await page.getByLabel('Email').fill('another@example.org')
  await page.getByRole('textbox', { name: 'Password' }).fill('a long password')
  await page.getByRole('button', { name: 'Create an account' }).click()
  await page.getByText('This username is taken.').waitFor()
  expect(await page.getByLabel('Username').getAttribute('aria-invalid')).toBe('true')
  await page.getByRole('link', { name: 'Log in' }).click()
  await page.getByLabel('Username or email').fill('alice')
  await page.getByRole('textbox', { name: 'Password' }).fill('wrong')
  await page.getByRole('button', { name: 'Log in', exact: true }).click()
  await page.getByRole('alert').getByText('No account matches').waitFor()
})

test('a field that is left empty is named in words of the page', async () => {
  const page = await (await profile(browser, { storage: { 'natter.language': 'de' } })).newPage()
  await page.goto(`${program.url}/register`)
  const button = page.locator('form button[type=submit]')
  await button.click()
  const [name, email] = [page.locator('input[name=username]'), page.locator('input[type=email]')]
  await page.getByText('Fülle dieses Feld aus.').first().waitFor()
  expect(await name.evaluate((element) => [element === document.activeElement, element.getAttribute('aria-invalid')])).toEqual([true, 'true'])
  await name.fill('someone')
  expect(await name.getAttribute('aria-invalid')).toBe(null)
  await email.fill('no address')
  await button.click()
  await page.getByText('Das ist keine E-Mail-Adresse.').waitFor()
  expect(await email.evaluate((element) => element === document.activeElement)).toBe(true)
})

test('too many attempts are answered with the time to wait', async () => {
  const page = await (await profile(browser, { allowed: /429/ })).newPage()
  let attempts = 0
  await page.route('**/api/auth/login', async (route) => {
    attempts += 1
    if (attempts > 1) return route.continue()
    const body = JSON.stringify({ code: 'rate_limited', status: 429, detail: '', title: '', requestId: 'x' })
    return route.fulfill({ status: 429, headers: { 'retry-after': '2', 'content-type': 'application/problem+json' }, body })
  })
  await page.goto(`${program.url}/login`)
  await page.getByLabel('Username or email').fill('alice')
  await page.getByRole('textbox', { name: 'Password' }).fill('natter-demo')
  const submit = page.getByRole('button', { name: 'Log in', exact: true })
  await submit.click()
  await page.getByText(/Wait for \d seconds?\./).first().waitFor()
  expect(await submit.isDisabled()).toBe(true)
  await expect.poll(() => submit.isDisabled(), { timeout: 10_000 }).toBe(false)
  await submit.click()
  await page.locator('[data-room]').first().waitFor()
})

test('tabs of one session renew at once and end together', async () => {
  const context = await profile(browser)
  const first = await enter(context, program.url, 'Alice')
  const second = await context.newPage()
  await second.goto(program.url)
  await second.locator('[data-room]').first().waitFor()
  // Both lose what they have in memory, and ask with the same cookie.
  await Promise.all([first.reload(), second.reload()])
  await Promise.all([first, second].map((page) => page.locator('[data-room]').first().waitFor()))
  await Promise.all([open(first, 'Bob'), open(second, 'Bob')])
  await say(first, 'seen in both')
  await Promise.all([first, second].map((page) => rows(page, 'seen in both').waitFor()))
  await first.goto(`${program.url}/settings`)
  await first.getByRole('button', { name: 'Log out', exact: true }).click()
  await first.getByRole('heading', { name: 'Log in' }).waitFor()
  await second.getByText('You were logged out in another window').waitFor()
  await second.reload()
  await second.getByRole('heading', { name: 'Log in' }).waitFor()
  const databases = await second.evaluate(async () => {
    const names = (await indexedDB.databases()).flatMap(({ name }) => (name?.startsWith('natter.') ? [name] : []))
    const counts = names.map((name) => new Promise<number>((resolve, reject) => {
      const opening = indexedDB.open(name)
      opening.onerror = () => reject(opening.error)
      opening.onsuccess = () => {
        const stores = [...opening.result.objectStoreNames]
        if (stores.length === 0) return resolve(0)
        const count = opening.result.transaction(stores).objectStore(stores[0]!).count()
        count.onsuccess = () => resolve(count.result)
      }
    }))
    return Promise.all(counts)
  })
  // Nothing of the account stays on the device.
  expect(databases.every((count) => count === 0), JSON.stringify(databases)).toBe(true)
})

test('a session that is ended elsewhere ends here', async () => {
  const context = await profile(browser, { allowed: /401/ })
  const page = await enter(context, program.url, 'Bob')
  await open(page, 'Alice')
  await page.getByRole('textbox', { name: 'Message' }).fill('half-written')
  await expect.poll(() => page.evaluate(() => Object.values(localStorage).some((value) => value.includes('half-written')))).toBe(true)
  await (await Caller.logIn(program.url, 'bob')).post('/api/auth/logout-all', {})
  await page.getByRole('heading', { name: 'Log in' }).waitFor()
  await page.getByText(/You were logged out/).waitFor()
  // The next person on this device is another one.
  await expect.poll(() => page.evaluate(() => Object.values(localStorage).some((value) => value.includes('half-written')))).toBe(false)
})

test('without JavaScript a sentence says what is missing', async () => {
  const page = await (await profile(browser, { javaScriptEnabled: false })).newPage()
  await page.goto(program.url)
  await page.locator('.noscript').filter({ hasText: 'Natter needs JavaScript' }).waitFor()
})
