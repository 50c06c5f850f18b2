import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { Caller, enter, profile, stage } from './harness'

const { program, browser } = await stage()

interface Shown {
  title: string
  body: string
  onclick: () => void
}
const shown = (page: Page): Promise<Pick<Shown, 'title' | 'body'>[]> =>
  page.evaluate(() => (window as unknown as { shown: Shown[] }).shown.map(({ title, body }) => ({ title, body })))

test('only what no tab shows is notified of, by one tab', async () => {
  const context = await profile(browser)
  // A test cannot see what the system shows: the page's own class remembers what it was asked to show.
  await context.addInitScript(`
    window.shown = [];
    window.badges = [];
    window.Notification = class {
      static permission = 'default';
      static async requestPermission() { return (this.permission = 'granted'); }
      constructor(title, options) { Object.assign(this, options, { title }); window.shown.push(this); }
      close() { this.onclose?.(); }
    };
    navigator.setAppBadge = async (count) => void window.badges.push(count);
    navigator.clearAppBadge = async () => void window.badges.push(0);
  `)
  const [alice, bob] = [await Caller.logIn(program.url, 'alice'), await Caller.logIn(program.url, 'bob')]
  const make = async (name: string) => (await bob.post('/api/conversations', { type: 'group', name, participantIds: [alice.id] })).id
  const [open, other] = [await make('Open room'), await make('Other room')]
  const post = (conversationId: string, content: string) => bob.post('/api/messages', { conversationId, content })
  const first = await enter(context, program.url, 'Alice')
  const second = await context.newPage()
  await second.goto(`${program.url}/c/${open}`)
  await second.getByRole('textbox', { name: 'Message' }).waitFor()
  // Off until it is asked for.
  await post(other, 'before')
  await first.locator('[data-room]').getByText('before').waitFor()
  await first.getByRole('link', { name: 'Settings' }).click()
  await first.getByLabel('Notify me of new messages').check()
  await post(open, 'seen in the other tab')
  await post(other, 'seen nowhere')
  await expect.poll(() => shown(first)).toEqual([{ title: 'Other room', body: 'Bob: seen nowhere' }])
  expect(await shown(second)).toEqual([])
  // The badge of the app is the number in the title.
  const badge = async () => [await first.evaluate(() => (window as unknown as { badges: number[] }).badges.at(-1)), Number(/^\((\d+)\)/.exec(await first.title())?.[1] ?? 0)]
  await expect.poll(async () => new Set(await badge()).size).toBe(1)
  const [unread = 0] = await badge()
  expect(unread).toBeGreaterThanOrEqual(2)
  await first.getByLabel('Show the text of the message').uncheck()
  await post(other, 'a secret')
  await expect.poll(() => shown(first)).toHaveLength(2)
  expect((await shown(first))[1]).toEqual({ title: 'Other room', body: 'Bob: New message' })
  // The browser, which has no window here, leaves the tab behind the other.
  await first.evaluate(() => (window as unknown as { shown: Shown[] }).shown.at(-1)?.onclick())
  await expect.poll(() => new URL(first.url()).pathname).toBe(`/c/${other}`)
  await first.locator('[data-row]').getByText('a secret').waitFor()
  await expect.poll(async () => (await badge())[0]).toBeLessThan(unread)
})
