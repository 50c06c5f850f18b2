import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Page } from 'playwright-core'
import { afterAll, expect, test } from 'vitest'
import { Caller, enterAs, freePort, profile, Program, stage } from './harness'

const PROVIDER = fileURLToPath(new URL('../../../../../.deps/npm/oidc-provider/provider.mjs', import.meta.url))
/** The provider's own page asks for a font of another host and has no icon; a session that is asked for and is not there is answered 401. */
const ALLOWED = { allowed: /fonts\.googleapis\.com|favicon|401/ }
const SECRET = 'a secret: of 100 %'

/** A real provider that knows these deployments; its issuer. */
async function provider(...ports: number[]): Promise<string> {
  if (!existsSync(PROVIDER)) throw new Error('there is no provider: run scripts/fetch-npm scripts/oidc-provider')
  const callbacks = ports.map((port) => `http://127.0.0.1:${port}/api/auth/oidc/callback`)
  const child = spawn('node', [PROVIDER, ...callbacks], { stdio: ['pipe', 'pipe', 'ignore'] })
  afterAll(() => void child.stdin.end())
  return new Promise((resolve, reject) => {
    createInterface(child.stdout).once('line', resolve)
    child.once('exit', (code) => reject(new Error(`the provider ended with ${code}`)))
  })
}

const ports = [await freePort(), await freePort()] as const
const issuer = await provider(...ports)
const settings = { OIDC_ISSUER: issuer, OIDC_NAME: 'Corp', RATE_LIMITS: 'off' }
const { program, browser } = await stage({ ...settings, OIDC_CLIENT_ID: 'natter', OIDC_CLIENT_SECRET: SECRET }, ports[0])
// A public client, of a company that wants no passwords.
const company = await Program.start({ ...settings, OIDC_CLIENT_ID: 'natter-public', PASSWORD_LOGIN: 'false' }, ports[1])
afterAll(() => company.stop())

/** At the provider's own page, from its log-in to its consent. */
async function logIn(page: Page, name: string): Promise<void> {
  await page.waitForURL(`${issuer}/**`)
  await page.locator('input[name=login]').fill(name)
  await page.locator('input[name=password]').fill('whatever it asks for')
  await page.locator('button[type=submit]').click()
  await page.getByRole('button', { name: 'Continue' }).click()
}

test('who logs in at the provider has an account, also after a reload', async () => {
  const context = await profile(browser, ALLOWED)
  const page = await context.newPage()
  await page.goto(`${program.url}/login`)
  await page.getByRole('link', { name: 'Continue with Corp' }).click()
  await logIn(page, 'dora')
  await page.getByText('No conversations yet').waitFor()
  expect(page.url()).toBe(`${program.url}/`)
  await page.reload()
  await page.getByText('No conversations yet').waitFor()
  await page.goto(`${program.url}/settings`)
  await page.getByText('Dora of Corp').first().waitFor()
  await page.getByText('@dora').waitFor()
  await page.getByRole('button', { name: 'Log out', exact: true }).click()
  await page.getByRole('heading', { name: 'Log in' }).waitFor()
  // The provider still knows her: one click, and the same account.
  await page.getByRole('link', { name: 'Continue with Corp' }).click()
  await page.getByText('No conversations yet').waitFor()
  await page.goto(`${program.url}/settings`)
  await page.getByText('@dora').waitFor()
})

test('who cancels at the provider reads so in their language', async () => {
  const page = await (await profile(browser, { storage: { 'natter.language': 'de' }, ...ALLOWED })).newPage()
  await page.goto(`${program.url}/login`)
  await page.getByRole('link', { name: 'Weiter mit Corp' }).click()
  await page.waitForURL(`${issuer}/**`)
  await page.getByText('Cancel').click()
  await page.getByRole('alert').getByText('Der Anmeldedienst hat dich nicht hereingelassen.').waitFor()
  expect(page.url()).toBe(`${program.url}/`)
})

test('an answer that comes again logs no one in', async () => {
  const context = await profile(browser, ALLOWED)
  const page = await context.newPage()
  const answers: string[] = []
  page.on('request', (request) => {
    if (request.url().includes('/oidc/callback')) answers.push(request.url())
  })
  await page.goto(`${program.url}/login`)
  await page.getByRole('link', { name: 'Continue with Corp' }).click()
  await logIn(page, 'emil')
  await page.getByText('No conversations yet').waitFor()
  const other = await (await profile(browser, ALLOWED)).newPage()
  await other.goto(answers[0]!)
  await other.getByRole('alert').getByText('Try again.').waitFor()
  expect(other.url()).toBe(`${program.url}/`)
  await other.getByRole('heading', { name: 'Log in' }).waitFor()
})

test('an account with a password is linked, not taken over', async () => {
  const caller = await Caller.register(program.url, 'Frida')
  const mail = `${caller.username}@example.org`
  const page = await enterAs(await profile(browser, ALLOWED), caller, '/settings')
  await page.getByRole('button', { name: 'Link with Corp' }).click()
  await logIn(page, 'frida')
  await page.getByRole('main').getByText('Linked with Corp').waitFor()
  expect(page.url()).toBe(`${program.url}/settings`)
  await page.getByRole('button', { name: 'Log out', exact: true }).click()
  await page.getByRole('link', { name: 'Continue with Corp' }).click()
  await page.locator('main.chat').waitFor()
  const own = await page.evaluate(async () => {
    const { token } = (await (await fetch('/api/auth/refresh', { method: 'POST' })).json()) as { token: string }
    const me = await fetch('/api/me', { headers: { authorization: `Bearer ${token}` } })
    return (await me.json()) as { id: string; email: string }
  })
  expect([own.id, own.email]).toEqual([caller.id, mail])
})

test('a company without passwords shows no form for them', async () => {
  const page = await (await profile(browser, ALLOWED)).newPage()
  await page.goto(`${company.url}/register`)
  const link = page.getByRole('link', { name: 'Continue with Corp' })
  await link.waitFor()
  expect(await page.locator('form, input').count()).toBe(0)
  await link.click()
  await logIn(page, 'gustav')
  await page.getByText('No conversations yet').waitFor()
  await page.goto(`${company.url}/settings`)
  await page.getByText('Gustav of Corp').first().waitFor()
  await page.getByRole('button', { name: 'Link with Corp' }).waitFor()
  expect(await page.locator('input[type=password]').count()).toBe(0)
  const account = { username: 'new', email: 'new@example.org', password: 'correct horse' }
  const refused = await page.request.post(`${company.url}/api/auth/register`, { data: account })
  expect([refused.status(), ((await refused.json()) as { code: string }).code]).toEqual([403, 'password_login_off'])
})

test('an account without a password is deleted after a new log-in', async () => {
  const page = await (await profile(browser, ALLOWED)).newPage()
  await page.goto(`${company.url}/login`)
  await page.getByRole('link', { name: 'Continue with Corp' }).click()
  await logIn(page, 'hanna')
  await page.getByText('No conversations yet').waitFor()
  await page.goto(`${company.url}/settings`)
  await page.getByRole('button', { name: 'Delete account' }).click()
  await page.getByText('If you have no password here, leave it empty.', { exact: false }).waitFor()
  const erase = page.getByRole('button', { name: 'Delete my account for good' })
  await page.locator('input[type=password]').fill('a guess')
  await erase.click()
  await page.getByText('This is not your current password.').waitFor()
  await page.locator('input[type=password]').fill('')
  await erase.click()
  await page.getByText('Your account was deleted.').waitFor()
})
