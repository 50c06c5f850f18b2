import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { Front } from './front'
import { enter, open, profile, rows, say, stage } from './harness'

const { program, browser } = await stage()

const NO_ANSWER = /Service Worker registration blocked|ERR_(CONNECTION|INTERNET|NETWORK|FAILED|EMPTY)|WebSocket|50[234]|404|Failed to (load|fetch)/

/** The service worker has kept the page, and answers for it. */
async function kept(page: Page): Promise<void> {
  await page.waitForFunction(() => navigator.serviceWorker.controller?.state === 'activated')
}

/** What is kept, by address. */
const stored = (page: Page): Promise<string[]> =>
  page.evaluate(async () => {
    const found: string[] = []
    for (const name of await caches.keys()) for (const { url } of await (await caches.open(name)).keys()) found.push(new URL(url).pathname)
    return found.sort()
  })

test('the service worker keeps the files of the page, and no call', async () => {
  const page = await enter(await profile(browser), program.url, 'Alice')
  await open(page, 'Bob')
  await kept(page)
  await page.reload()
  await say(page, 'past the worker')
  await rows(page, 'past the worker').getByText(/^(Sent|Read)$/).waitFor()
  const paths = await stored(page)
  expect(paths.filter((path) => !/^\/(assets\/[\w.-]+|icons\/[\w-]+\.png|icon\.svg|manifest\.webmanifest)?$/.test(path))).toEqual([])
  for (const part of ['first', 'base', 'chat', 'Settings', 'NewConversation', 'Picker', 'de', 'en']) {
    expect(paths.some((path) => path.startsWith(`/assets/${part}-`)), part).toBe(true)
  }
})

test('a new build takes over at the next load, and says so', async () => {
  const front = await Front.to(program.url)
  const context = await profile(browser, { allowed: NO_ANSWER })
  const page = await enter(context, front.url, 'Alice')
  await kept(page)
  const build = await page.evaluate(() => document.querySelector('meta[name=natter-build]')?.getAttribute('content') ?? '')
  expect(build).toMatch(/^[0-9a-f]{16}$/)
  // The same program as another build: the page and the worker have its name.
  const [settings] = (await stored(page)).filter((path) => /Settings-.*js/.test(path))
  front.change = (path, body) => {
    if (path === '/' || path.startsWith('/c/')) return { body: body.replace(build, 'feedfeedfeedfeed') }
    if (path === '/sw.js') return { body: body.replace(build, 'feedfeedfeedfeed') }
    return undefined
  }
  front.close()
  front.reopen()
  await page.getByText('A new version of Natter is available.').waitFor()
  // What is open goes on with its own parts, although the new worker has taken over.
  await page.waitForFunction(async () => (await caches.keys()).includes('natter.shell.feedfeedfeedfeed'))
  await kept(page)
  front.asked.length = 0
  expect(await page.evaluate(async (path) => (await fetch(path)).ok, settings!)).toBe(true)
  expect(front.asked).not.toContain(settings)
  await page.getByRole('button', { name: 'Reload' }).click()
  await page.locator('meta[name=natter-build][content=feedfeedfeedfeed]').waitFor({ state: 'attached' })
  await page.locator('[data-room]').first().waitFor()
  expect(await page.getByText('A new version of Natter is available.').count()).toBe(0)
})

test('a part that the server no longer has is a reload away', async () => {
  const front = await Front.to(program.url)
  // Nothing is kept: the part has to come from the server.
  const context = await profile(browser, { allowed: NO_ANSWER, serviceWorkers: 'block' })
  front.change = (path, body) => {
    if (/\/assets\/NewConversation-.*js/.test(path)) return { status: 404, body: '{"code":"not_found"}' }
    if (path === '/') return { body: body.replace(/(natter-build" content=")\w+/, '$1feedfeedfeedfeed') }
    return undefined
  }
  const page = await context.newPage()
  await page.goto(`${front.url}/login`)
  await page.getByRole('button', { name: /Alice/ }).click()
  await page.getByRole('button', { name: 'New conversation' }).click()
  await page.getByRole('main').getByText('A part of Natter could not be loaded.').waitFor()
  await page.getByText('A new version of Natter is available.').waitFor()
})

test('addresses of the API are never answered with the page', async () => {
  const front = await Front.to(program.url)
  const context = await profile(browser, { allowed: NO_ANSWER })
  const page = await enter(context, front.url, 'Alice')
  await kept(page)
  front.close()
  const docs = await context.newPage()
  await expect(docs.goto(`${front.url}/api/docs`)).rejects.toThrow(/ERR_/)
})

test('the app can be installed', async () => {
  const context = await profile(browser)
  const page = await enter(context, program.url, 'Alice')
  await kept(page)
  const devtools = await context.newCDPSession(page)
  const { manifest, errors } = await devtools.send('Page.getAppManifest')
  expect(errors).toEqual([])
  expect(manifest).toMatchObject({ name: 'Natter', startUrl: `${program.url}/`, display: 'kStandalone' })
  const { installabilityErrors } = await devtools.send('Page.getInstallabilityErrors')
  // A context of a test is as a private window, where nothing can be installed.
  expect(installabilityErrors.map(({ errorId }) => errorId).filter((id) => id !== 'in-incognito')).toEqual([])
})
