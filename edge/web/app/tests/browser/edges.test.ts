import { afterAll, expect, test } from 'vitest'
import { Deployment } from './deployment'
import { Front } from './front'
import { Caller, open, profile, rows, say, stage } from './harness'

const { browser } = await stage()
const deployment = await Deployment.start()
afterAll(() => deployment.stop())

test('people on two edges talk, and one goes on when its edge is killed', async () => {
  const [first, second] = [await deployment.edge(), await deployment.edge()]
  // As behind a load balancer: what is in front stays, what is behind it changes.
  const [left, right] = [await Front.to(first.url), await Front.to(second.url)]
  const [ada, ben] = [await Caller.register(first.url, 'Ada Left'), await Caller.register(second.url, 'Ben Right')]
  await ada.post('/api/conversations', { type: 'group', name: 'Two edges', participantIds: [ben.id] })
  const allowed = /ERR_(CONNECTION|EMPTY|FAILED)|WebSocket|Failed to (load|fetch)|404/
  const enter = async (front: Front, person: Caller) => {
    const page = await (await profile(browser, { allowed })).newPage()
    await page.goto(`${front.url}/login`)
    await page.getByLabel('Username or email').fill(person.username)
    await page.getByRole('textbox', { name: 'Password' }).fill('correct horse')
    await page.getByRole('button', { name: 'Log in', exact: true }).click()
    await open(page, 'Two edges')
    return page
  }
  const [a, b] = [await enter(left, ada), await enter(right, ben)]
  await say(a, 'from the left')
  await rows(b, 'from the left').waitFor()
  await say(b, 'from the right')
  await rows(a, 'from the right').waitFor()
  await second.kill()
  await say(b, 'while it is gone')
  await say(a, 'are you there?')
  right.behind = first.url
  await rows(b, 'are you there?').waitFor()
  await rows(b, 'while it is gone').getByText(/^(Sent|Read.*)$/).waitFor({ timeout: 40_000 })
  await rows(a, 'while it is gone').waitFor()
  const texts = ['from the left', 'from the right', 'while it is gone', 'are you there?']
  for (const page of [a, b]) for (const text of texts) expect(await rows(page, text).count(), text).toBe(1)
  const order = async (page: typeof a) => (await page.locator('[data-row]').allInnerTexts()).flatMap((shown) => texts.find((text) => shown.includes(text)) ?? [])
  expect(await order(a)).toEqual(await order(b))
}, 180_000)
