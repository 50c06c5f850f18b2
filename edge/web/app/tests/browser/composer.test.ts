import type { BrowserContext, Page, WebSocketRoute } from 'playwright-core'
import { expect, onTestFinished, test } from 'vitest'
import { Caller, enter, open, profile, Program, rows, say, stage } from './harness'

const { program, browser } = await stage()

const field = (page: Page) => page.getByRole('textbox', { name: 'Message' })
const sent = (page: Page, text: string) => rows(page, text).getByText(/^(Sent|Read)$/).waitFor()

/** A group of one's own: what other tests write is not in it. */
async function room(name: string): Promise<{ id: string; alice: Caller }> {
  const [alice, bob] = await Promise.all([Caller.logIn(program.url, 'alice'), Caller.logIn(program.url, 'bob')])
  const { id } = await alice.post('/api/conversations', { type: 'group', name, participantIds: [bob.id] })
  return { id, alice }
}

/** The answers of the server wait until they are let through. */
class Slow {
  #waiting: (() => void)[] | undefined

  static async between(context: BrowserContext): Promise<Slow> {
    const slow = new Slow()
    await context.routeWebSocket('**/ws', (socket: WebSocketRoute) => {
      const server = socket.connectToServer()
      socket.onMessage((frame) => server.send(frame))
      server.onMessage((frame) => (slow.#waiting ? slow.#waiting.push(() => socket.send(frame)) : socket.send(frame)))
    })
    return slow
  }

  hold(): void {
    this.#waiting = []
  }

  release(): void {
    const waiting = this.#waiting ?? []
    this.#waiting = undefined
    for (const pass of waiting) pass()
  }
}

async function messageSeq(caller: Caller, id: string, content: string): Promise<number> {
  const { items } = await caller.get<{ items: { seq: number; content: string }[] }>(`/api/messages?conversationId=${id}`)
  return items.find((message) => message.content === content)!.seq
}

test('a refused edit stays in the composer with its reason', async () => {
  const { id, alice } = await room('Refused edits')
  const page = await enter(await profile(browser), program.url, 'Alice')
  await open(page, 'Refused edits')
  await say(page, 'First version')
  await sent(page, 'First version')
  await field(page).fill('A draft')
  await field(page).fill('')
  await page.keyboard.press('ArrowUp')
  await field(page).fill('Second version')
  await alice.delete(`/api/conversations/${id}/messages/${await messageSeq(alice, id, 'First version')}`)
  await page.keyboard.press('Enter')
  await page.getByRole('alert').getByText('This message was deleted meanwhile.').waitFor()
  expect(await field(page).inputValue()).toBe('Second version')
  await page.getByText('Edit message').waitFor()
  // It never becomes a message of its own.
  await page.keyboard.press('Escape')
  expect(await field(page).inputValue()).toBe('')
  expect(await rows(page, 'Second version').count()).toBe(0)
})

test('an edit refused behind the next message is kept aside', async () => {
  const { id, alice } = await room('Late refusals')
  const context = await profile(browser)
  const slow = await Slow.between(context)
  const page = await enter(context, program.url, 'Alice')
  await open(page, 'Late refusals')
  await say(page, 'To be changed')
  await sent(page, 'To be changed')
  await page.keyboard.press('ArrowUp')
  await field(page).fill('Changed')
  slow.hold()
  await alice.delete(`/api/conversations/${id}/messages/${await messageSeq(alice, id, 'To be changed')}`)
  await page.keyboard.press('Enter')
  await field(page).fill('The next message')
  slow.release()
  await page.getByRole('alert').getByText('Your edit was not saved.').waitFor()
  expect(await field(page).inputValue()).toBe('The next message')
  await page.getByRole('button', { name: 'Continue editing' }).click()
  expect(await field(page).inputValue()).toBe('Changed')
  await page.keyboard.press('Escape')
  expect(await field(page).inputValue()).toBe('The next message')
})

test('without a connection an edit waits in the composer', async () => {
  await room('Offline edits')
  const context = await profile(browser, { allowed: /ERR_INTERNET_DISCONNECTED|WebSocket|Failed to load/ })
  const page = await enter(context, program.url, 'Alice')
  await open(page, 'Offline edits')
  await say(page, 'Online')
  await sent(page, 'Online')
  await page.keyboard.press('ArrowUp')
  await field(page).fill('Offline')
  await context.setOffline(true)
  await page.getByText('You are offline.').waitFor()
  await page.keyboard.press('Enter')
  await page.getByRole('alert').getByText('No connection to Natter.').waitFor()
  expect(await field(page).inputValue()).toBe('Offline')
  await context.setOffline(false)
  await page.getByText('You are offline.').waitFor({ state: 'detached' })
  await expect
    .poll(async () => {
      await field(page).press('Enter')
      return rows(page, 'Offline').getByText('edited').count()
    }, { timeout: 20_000 })
    .toBe(1)
})

test('what is half-written survives the room and the page', async () => {
  await room('Half-written')
  const page = await enter(await profile(browser), program.url, 'Alice')
  await open(page, 'Half-written')
  await say(page, 'The original')
  await sent(page, 'The original')
  await field(page).fill('A draft')
  await rows(page, 'The original').focus()
  await page.keyboard.press('r')
  await page.getByText('Reply to yourself').waitFor()
  await rows(page, 'The original').focus()
  await page.keyboard.press('e')
  await field(page).fill('A half-changed original')
  await open(page, 'Bob')
  await expect.poll(() => field(page).inputValue()).toBe('')
  await open(page, 'Half-written')
  for (const again of [false, true]) {
    if (again) await page.reload()
    await page.getByText('Edit message').waitFor()
    expect(await field(page).inputValue()).toBe('A half-changed original')
  }
  await field(page).press('Escape')
  await page.getByText('Reply to yourself').waitFor()
  expect(await field(page).inputValue()).toBe('A draft')
  await field(page).press('Enter')
  await sent(page, 'A draft')
  await rows(page, 'A draft').getByRole('button', { name: /The original/ }).waitFor()
  expect(await field(page).inputValue()).toBe('')
  await page.reload()
  await rows(page, 'A draft').waitFor()
  expect(await field(page).inputValue()).toBe('')
})

test('a message that no place is left for comes back', async () => {
  await room('Full outbox')
  const context = await profile(browser, { allowed: /ERR_INTERNET_DISCONNECTED|WebSocket|Failed to load/ })
  const page = await enter(context, program.url, 'Alice')
  await open(page, 'Full outbox')
  await say(page, 'To be answered')
  await sent(page, 'To be answered')
  await context.setOffline(true)
  await page.getByText('You are offline.').waitFor()
  await field(page).evaluate(async (element) => {
    const area = element as HTMLTextAreaElement
    for (let number = 0; number < 1_000; number++) {
      area.value = `Waiting ${number}`
      area.dispatchEvent(new InputEvent('input', { bubbles: true }))
      area.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true }))
      if (number % 50 === 0) await new Promise((resolve) => requestAnimationFrame(resolve))
    }
  })
  await rows(page, 'Waiting 999').waitFor()
  await page.getByRole('button', { name: 'To the newest' }).or(field(page)).first().waitFor()
  await field(page).fill('One too many')
  await field(page).press('Enter')
  await page.getByRole('alert').getByText('Too many messages are waiting').waitFor()
  expect(await field(page).inputValue()).toBe('One too many')
})

test('the composer counts as the server does', async () => {
  await room('Long texts')
  const page = await enter(await profile(browser), program.url, 'Alice')
  await open(page, 'Long texts')
  const send = page.getByRole('button', { name: 'Send' })
  for (const [text, note] of [
    [`${'x'.repeat(8_192)}yz`, '2 characters too long'],
    [`${'é'.repeat(4_096)}👍🏽`, '1 character too long'],
    [`${'x'.repeat(8_191)}é`, '1 character too long'],
  ] as const) {
    await field(page).fill(text)
    await page.getByText(note, { exact: true }).waitFor()
    expect(await send.isDisabled(), note).toBe(true)
    expect(await field(page).getAttribute('aria-invalid')).toBe('true')
    await page.getByRole('status').getByText('This is too large.').waitFor()
  }
  const most = `${'é'.repeat(4_096)}`
  // White space around a text is not sent.
  await field(page).fill(`${most}\n\n`)
  await page.getByText('At most 0 more characters', { exact: true }).waitFor()
  await field(page).press('Enter')
  await sent(page, most)
})

test('too many messages: the composer says when it goes on', async () => {
  const strict = await Program.start({ RATE_LIMITS: 'send=5/s*10' })
  onTestFinished(() => strict.stop())
  const page = await enter(await profile(browser), strict.url, 'Alice')
  await open(page, 'Bob')
  await say(page, 'Before')
  await sent(page, 'Before')
  await field(page).evaluate((element) => {
    const area = element as HTMLTextAreaElement
    for (let number = 1; number <= 30; number++) {
      area.value = `Fast ${number}`
      area.dispatchEvent(new InputEvent('input', { bubbles: true }))
      area.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true }))
    }
  })
  await page.getByRole('status').getByText(/Too fast\. Sending continues in \d+ second/).first().waitFor()
  await rows(page, 'Fast 30').getByText(/^(Sent|Read)$/).waitFor()
  await page.getByText(/Sending continues/).first().waitFor({ state: 'detached' })
  const texts = (await page.locator('[data-row]').allInnerTexts()).flatMap((text) => /^Fast \d+/.exec(text)?.[0] ?? [])
  expect(new Set(texts).size).toBe(texts.length)
})

test('a note covers nothing, waits for the focus, is said once', async () => {
  await room('Notes')
  const page = await enter(await profile(browser, { viewport: { width: 360, height: 640 } }), program.url, 'Alice')
  await open(page, 'Notes')
  await page.evaluate(() => {
    const said: string[] = []
    Object.assign(window, { said })
    for (const region of document.querySelectorAll('[role=status]')) {
      new MutationObserver((changes) => {
        for (const { addedNodes } of changes) for (const node of addedNodes) if (node.textContent?.trim()) said.push(node.textContent.trim())
      }).observe(region, { childList: true, subtree: true })
    }
  })
  await say(page, 'To be deleted')
  await sent(page, 'To be deleted')
  await rows(page, 'To be deleted').focus()
  await page.keyboard.press('Delete')
  const undo = page.getByRole('button', { name: 'Undo' })
  await undo.waitFor()
  // It moves into its place.
  await page.locator('.toast').evaluate((element) => Promise.all(element.getAnimations({ subtree: true }).map(({ finished }) => finished)).then(() => undefined))
  const box = async (selector: string) => (await page.locator(selector).first().boundingBox())!
  const [note, composer, list] = [await box('.toast'), await box('form.composer'), await box('.frame')]
  expect(note.y).toBeGreaterThanOrEqual(list.y + list.height)
  expect(note.y + note.height).toBeLessThanOrEqual(composer.y)
  await field(page).focus()
  await page.keyboard.press('Shift+Tab')
  await page.keyboard.press('Shift+Tab')
  expect(await undo.evaluate((button) => button === document.activeElement)).toBe(true)
  // Longer than it is shown to those who do nothing.
  await page.clock.install()
  await page.clock.fastForward(60_000)
  await undo.waitFor()
  await page.keyboard.press('Enter')
  await undo.waitFor({ state: 'detached' })
  await rows(page, 'To be deleted').waitFor()
  await expect.poll(() => page.evaluate(() => document.activeElement?.textContent)).toContain('To be deleted')
  expect(await page.evaluate(() => (window as unknown as { said: string[] }).said.filter((text) => text === 'Message deleted'))).toEqual(['Message deleted'])
})

test('a deletion is done when the page is closed before its time', async () => {
  const { id, alice } = await room('Closed early')
  const context = await profile(browser)
  const page = await enter(context, program.url, 'Alice')
  await open(page, 'Closed early')
  await say(page, 'Gone in a moment')
  await sent(page, 'Gone in a moment')
  await rows(page, 'Gone in a moment').focus()
  await page.keyboard.press('Delete')
  await page.getByRole('button', { name: 'Undo' }).waitFor()
  expect(await messageSeq(alice, id, 'Gone in a moment')).toBeGreaterThan(0)
  await page.goto('about:blank')
  await expect.poll(async () => {
    const { items } = await alice.get<{ items: { deletedAt: string | null }[] }>(`/api/messages?conversationId=${id}`)
    return items.at(-1)?.deletedAt
  }, { timeout: 10_000 }).toBeTruthy()
})
