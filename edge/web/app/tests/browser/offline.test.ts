import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium, type BrowserContext, type Page } from 'playwright-core'
import { expect, onTestFinished, test } from 'vitest'
import { Front } from './front'
import { Caller, enter, open, profile, rows, say, stage } from './harness'

const { program, browser } = await stage()

const NO_ANSWER = /ERR_(CONNECTION|INTERNET|NETWORK|FAILED|EMPTY)|WebSocket|401|50[234]|Failed to (load|fetch)/

/** A browser with a profile on the disk, so that it can be started again. */
function device(): () => Promise<BrowserContext> {
  const folder = mkdtempSync(join(tmpdir(), 'natter-profile-'))
  let context: BrowserContext | undefined
  onTestFinished(async () => {
    await context?.close()
    rmSync(folder, { recursive: true, force: true })
  })
  return async () => {
    await context?.close()
    const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium'
    context = await chromium.launchPersistentContext(folder, { executablePath, locale: 'en-US', args: ['--no-sandbox', '--disable-gpu'] })
    context.setDefaultTimeout(20_000)
    return context
  }
}

/** Texts of messages in the copies that are stored. */
const stored = (page: Page): Promise<string[]> =>
  page.evaluate(async () => {
    const found: string[] = []
    for (const { name } of await indexedDB.databases()) {
      if (!name?.startsWith('natter.')) continue
      const db = await new Promise<IDBDatabase>((resolve, reject) => {
        const opening = indexedDB.open(name)
        opening.onsuccess = () => resolve(opening.result)
        opening.onerror = () => reject(opening.error)
      })
      const values = await new Promise<unknown[]>((resolve, reject) => {
        const request = db.transaction('values').objectStore('values').getAll()
        request.onsuccess = () => resolve(request.result as unknown[])
        request.onerror = () => reject(request.error)
      })
      db.close()
      found.push(...[...JSON.stringify(values).matchAll(/"content":"([^"]*)"/g)].map(([, text]) => text ?? ''))
    }
    return found
  })

/** What an account has left on the device. */
const traces = (page: Page): Promise<string[]> =>
  page.evaluate(async () => [
    ...(await indexedDB.databases()).flatMap(({ name }) => (name?.startsWith('natter.') ? [name] : [])),
    ...Object.keys(localStorage).filter((key) => /draft|names|session/.test(key)),
  ])

const kept = (page: Page) => page.waitForFunction(() => navigator.serviceWorker.controller?.state === 'activated')

test('a browser that starts without a server shows what was read', async () => {
  const restart = device()
  let context = await restart()
  const bob = await Caller.logIn(program.url, 'bob')
  const alice = await Caller.logIn(program.url, 'alice')
  const { id } = await bob.post('/api/conversations', { type: 'group', name: 'Never opened', participantIds: [alice.id] })
  await bob.post('/api/messages', { conversationId: id, content: 'read without a connection' })
  await bob.post('/api/messages', { conversationId: id, content: 'the newest one' })
  let page = await enter(context, program.url, 'Alice')
  await open(page, 'Bob')
  await page.getByRole('textbox', { name: 'Message' }).fill('half a thought')
  await kept(page)
  await expect.poll(() => stored(page)).toContain('read without a connection')
  await program.kill()
  context = await restart()
  page = await context.newPage()
  await page.goto(program.url)
  await page.getByText('half a thought').waitFor()
  await open(page, 'Never opened')
  await rows(page, 'read without a connection').waitFor()
  await page.locator('[data-row]').getByText('Bob', { exact: true }).first().waitFor()
  await say(page, 'written without a connection')
  await rows(page, 'written without a connection').getByText('Sending').waitFor()
  await page.getByText('1 message is waiting.').waitFor()
  await page.goto(`${program.url}/c/0199c1c0-0000-7000-8000-000000000001`)
  await page.getByText('Not on this device').waitFor()
  // It is there after another start, and arrives once.
  context = await restart()
  page = await context.newPage()
  await page.goto(`${program.url}/c/${id}`)
  await rows(page, 'written without a connection').getByText('Sending').waitFor()
  await program.run()
  await rows(page, 'written without a connection').getByText(/^(Sent|Read)$/).waitFor({ timeout: 40_000 })
  const again = await Caller.logIn(program.url, 'bob')
  const { items } = await again.get<{ items: { content: string }[] }>(`/api/messages?conversationId=${id}`)
  expect(items.filter(({ content }) => content === 'written without a connection')).toHaveLength(1)
}, 120_000)

test('who logs out without a connection leaves nothing behind', async () => {
  const context = await profile(browser, { allowed: NO_ANSWER })
  const page = await enter(context, program.url, 'Alice')
  await open(page, 'Bob')
  await page.getByRole('textbox', { name: 'Message' }).fill('half a thought')
  await expect.poll(() => stored(page)).toContain('Hi Alice, this is just between us.')
  const other = await context.newPage()
  await other.goto(program.url)
  await other.locator('[data-room]').first().waitFor()
  await page.getByRole('link', { name: 'Settings' }).click()
  await context.setOffline(true)
  await page.getByRole('button', { name: 'Log out', exact: true }).click()
  for (const tab of [page, other]) await tab.getByRole('heading', { name: 'Log in' }).waitFor()
  await expect.poll(() => traces(page)).toEqual([])
  // The server learns of it when it can be reached.
  await context.setOffline(false)
  await expect.poll(() => page.evaluate(() => localStorage.getItem('natter.leaving'))).toBe(null)
  expect(await page.evaluate(async () => (await fetch('/api/auth/refresh', { method: 'POST' })).status)).toBe(401)
})

test('a session that was ended meanwhile is wiped at the next start', async () => {
  const context = await profile(browser, { allowed: NO_ANSWER })
  const account = await Caller.register(program.url, 'Rita Revoked')
  const bob = await Caller.logIn(program.url, 'bob')
  const { id } = await account.post('/api/conversations', { type: 'group', name: 'For our eyes', participantIds: [bob.id] })
  await account.post('/api/messages', { conversationId: id, content: 'only for us' })
  let page = await context.newPage()
  await page.goto(`${program.url}/login`)
  await page.getByLabel('Username or email').fill(account.username)
  await page.getByRole('textbox', { name: 'Password' }).fill('correct horse')
  await page.getByRole('button', { name: 'Log in', exact: true }).click()
  await open(page, 'For our eyes')
  await expect.poll(() => stored(page)).toContain('only for us')
  await page.close()
  await account.post('/api/auth/logout-all', {})
  page = await context.newPage()
  await page.goto(program.url)
  await page.getByRole('heading', { name: 'Log in' }).waitFor()
  await expect.poll(() => traces(page)).toEqual([])
})

test('without storage everything works, and says what it means', async () => {
  const context = await profile(browser, { allowed: NO_ANSWER })
  const front = await Front.to(program.url)
  await context.addInitScript(`
    IDBFactory.prototype.open = () => { throw new DOMException('The quota has been exceeded.', 'QuotaExceededError') };
    Storage.prototype.setItem = () => { throw new DOMException('The quota has been exceeded.', 'QuotaExceededError') };
  `)
  const page = await enter(context, front.url, 'Alice')
  await open(page, 'Bob')
  await say(page, 'kept in memory')
  await rows(page, 'kept in memory').getByText(/^(Sent|Read)$/).waitFor()
  expect(await page.getByText('This browser keeps nothing').count()).toBe(0)
  front.close()
  await say(page, 'waits in memory')
  await page.getByText('This browser keeps nothing for Natter: leave this page open until they are sent.').waitFor()
  front.reopen()
  await rows(page, 'waits in memory').getByText(/^(Sent|Read)$/).waitFor()
  await page.getByText('This browser keeps nothing').waitFor({ state: 'detached' })
})

test('rooms that were not opened are filled to two hundred messages', async () => {
  const [alice, bob] = [await Caller.logIn(program.url, 'alice'), await Caller.logIn(program.url, 'bob')]
  const { id } = await bob.post('/api/conversations', { type: 'group', name: 'Filled', participantIds: [alice.id] })
  for (let number = 1; number <= 230; number++) await bob.post('/api/messages', { conversationId: id, content: `Filled ${number}` })
  const context = await profile(browser)
  await context.clock.install()
  const page = await enter(context, program.url, 'Alice')
  const filled = async () => (await stored(page)).filter((text) => /^Filled \d+$/.test(text))
  await expect.poll(async () => new Set(await filled()).size).toBeGreaterThanOrEqual(50)
  // A minute later comes the rest, page after page.
  await expect
    .poll(
      async () => {
        await context.clock.fastForward(30_000)
        return new Set(await filled()).size
      },
      { timeout: 30_000, interval: 500 },
    )
    .toBe(200)
  expect(await filled()).not.toContain('Filled 1')
}, 90_000)
