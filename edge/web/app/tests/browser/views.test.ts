import type { AxeResults } from 'axe-core'
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { axe, Caller, enter, open, profile, rows, say, stage } from './harness'

const { program, browser } = await stage()

/** Every view by its name, once it is whole. */
async function* tour(page: Page): AsyncGenerator<string> {
  await page.goto(`${program.url}/register`)
  await page.locator('form').waitFor()
  yield 'register'
  await page.goto(`${program.url}/login`)
  await page.locator('section button').first().waitFor()
  yield 'log-in'
  await page.locator('section button').first().click()
  await page.locator('[data-room]').first().waitFor()
  yield 'rooms'
  await page.locator('header button').first().click()
  await page.getByRole('dialog').locator('input').first().waitFor()
  await page.getByRole('dialog').locator('input').first().fill('bo')
  await page.getByRole('dialog').locator('.person').first().waitFor()
  yield 'new conversation'
  await page.keyboard.press('Escape')
  await page.getByRole('dialog').waitFor({ state: 'detached' })
  await page.locator('[data-room]').filter({ hasText: 'Natter' }).click()
  await page.locator('#composer').fill('**bold** _italic_ `code` https://example.org/\n> quote\n```\nlet x = 1\n```')
  await page.locator('form.composer button[type=submit]').click()
  await page.locator('[data-row]', { hasText: 'let x = 1' }).last().waitFor()
  yield 'room'
  await page.locator('[data-row]').last().hover()
  await page.locator('[data-row]').last().locator('.tools button').last().click()
  await page.getByRole('menu').waitFor()
  yield 'menu'
  await page.keyboard.press('Escape')
  await page.getByRole('menu').waitFor({ state: 'detached' })
  await page.locator('.pane header button').last().click()
  await page.getByRole('dialog').waitFor()
  yield 'details'
  await page.keyboard.press('Escape')
  await page.goto(`${program.url}/settings`)
  await page.locator('.settings form').first().waitFor()
  yield 'settings'
}

/** Movement has ended: colors in between are no one's choice. */
const settled = (page: Page) =>
  page.evaluate(async () => {
    const finite = document.getAnimations().filter((animation) => animation.effect?.getComputedTiming().iterations !== Infinity)
    await Promise.allSettled(finite.map((animation) => animation.finished))
  })

for (const colorScheme of ['light', 'dark'] as const) {
  for (const width of [320, 1280]) {
    test(`every view is accessible: ${colorScheme}, ${width} px`, async () => {
      const context = await profile(browser, { colorScheme, viewport: { width, height: 720 } })
      const page = await context.newPage()
      for await (const view of tour(page)) {
        await settled(page)
        await page.evaluate(axe)
        // Menus are beside the landmarks, as the dialogs that they belong to: no rule of WCAG is about that.
        const results = (await page.evaluate(
          `axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'], rules: { region: { enabled: false } } })`,
        )) as AxeResults
        const found = results.violations.map(({ id, nodes }) => `${view}: ${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(' | ')}`)
        expect(found).toEqual([])
        const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
        expect(over, `${view} is wider than the window`).toBeLessThanOrEqual(0)
      }
    })
  }
}

/** Text that people see or hear and that is not in brackets, but for what users wrote and numbers. */
const foreign = (page: Page): Promise<string[]> =>
  page.evaluate(() => {
    const found: string[] = []
    const check = (text: string | null, where: string) => {
      let words = text ?? ''
      // From the inside out: one message may be part of another.
      for (let before = ''; before !== words; ) [before, words] = [words, words.replace(/⟦[^⟦⟧]*⟧/g, '')]
      words = words.trim()
      if (/\p{L}{2}/u.test(words)) found.push(`${where}: ${words}`)
    }
    const walk = (element: Element) => {
      if (element.closest('[data-content], noscript, script, style, svg')) return
      for (const name of ['aria-label', 'title', 'placeholder', 'alt']) check(element.getAttribute(name), name)
      for (const node of element.childNodes) if (node.nodeType === Node.TEXT_NODE) check(node.textContent, element.tagName)
      for (const child of element.children) walk(child)
    }
    walk(document.body)
    return found.filter((text) => !text.endsWith(': Natter'))
  })

test('no view has words that are not from a message file', async () => {
  const context = await profile(browser, { storage: { 'natter.language': 'en-XA' } })
  const page = await context.newPage()
  for await (const view of tour(page)) expect({ view, found: await foreign(page) }).toEqual({ view, found: [] })
})

test('from right to left no view is cut off', async () => {
  const context = await profile(browser, { storage: { 'natter.language': 'ar-XB' }, viewport: { width: 360, height: 720 } })
  const page = await context.newPage()
  for await (const view of tour(page)) {
    const { dir, over } = await page.evaluate(() => ({ dir: getComputedStyle(document.body).direction, over: document.documentElement.scrollWidth - innerWidth }))
    expect({ view, dir, over }).toEqual({ view, dir: 'rtl', over: 0 })
  }
})

test('what is written is shown as it is, whatever it is', async () => {
  const writer = await Caller.register(program.url, '<img src=x onerror=alert(1)>')
  const bob = await Caller.logIn(program.url, 'bob')
  const name = '<script>alert(2)</script>'
  const { id } = await writer.post('/api/conversations', { type: 'group', name, participantIds: [bob.id] })
  const contents = [
    '<script>alert(1)</script>',
    '"><img src=x onerror=alert(1)>',
    '<svg/onload=alert(1)>',
    'javascript:alert(1)',
    '[x](javascript:alert(1))',
    '{{constructor.constructor("alert(1)")()}} ${alert(1)} {@html x}',
    '</textarea></title><iframe srcdoc="<script>alert(1)</script>">',
    'ﷺ'.repeat(50),
    'x'.repeat(8_000),
    '😀'.repeat(500),
    'สวัสดีชาวโลก مرحبا بالعالم',
  ]
  for (const content of contents) await writer.post('/api/messages', { conversationId: id, content })
  // Opened at the newest one.
  await bob.post('/api/messages/read', { conversationId: id, seq: 1_000_000 })
  const context = await profile(browser, { viewport: { width: 320, height: 640 } })
  const page = await enter(context, program.url, 'Bob')
  await page.locator('[data-room]').filter({ hasText: name }).click()
  await page.getByRole('heading', { name, exact: true }).waitFor()
  await rows(page, contents.at(-1)!).waitFor()
  const scroller = page.locator('.scroller')
  for (const content of contents.toReversed()) {
    const row = rows(page, content)
    for (let step = 0; step < 60 && (await row.count()) === 0; step++) {
      await scroller.evaluate((element) => { element.scrollTop -= 300 })
      await page.waitForFunction(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve(true)))))
    }
    expect(await row.locator('.markup').innerText(), content.slice(0, 40)).toBe(content)
  }
  expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBe(0)
  expect(await page.locator('main a[href^="javascript:" i], main iframe, main script, main img').count()).toBe(0)
})

test('the tour by keyboard', async () => {
  const context = await profile(browser)
  const page = await context.newPage()
  await page.goto(`${program.url}/login`)
  await page.getByRole('button', { name: 'Continue as Alice' }).focus()
  await page.keyboard.press('Enter')
  await page.locator('[data-room]').first().waitFor()
  await page.keyboard.press('Control+k')
  await page.keyboard.type('bob')
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'Bob' }).waitFor()
  await page.keyboard.type('By keyboard')
  await page.keyboard.press('Enter')
  await rows(page, 'By keyboard').getByText('Sent', { exact: true }).waitFor()
  await page.keyboard.press('ArrowUp')
  await page.keyboard.type(' alone')
  await page.keyboard.press('Enter')
  await rows(page, 'By keyboard alone').getByText('edited').waitFor()
  await page.keyboard.press('Shift+Tab')
  await page.keyboard.press('Shift+Tab')
  await rows(page, 'By keyboard alone').focus()
  await page.keyboard.press('Enter')
  await page.getByRole('menu').waitFor()
  await page.keyboard.press('Escape')
  await page.getByRole('menu').waitFor({ state: 'detached' })
  await rows(page, 'By keyboard alone').focus()
  await page.keyboard.press('r')
  await page.getByText('Reply to yourself').waitFor()
  await say(page, 'An answer')
  await rows(page, 'An answer').getByText('By keyboard alone').waitFor()
  await rows(page, 'An answer').getByText('Sent', { exact: true }).waitFor()
  await rows(page, 'An answer').focus()
  await page.keyboard.press('Delete')
  await page.getByRole('button', { name: 'Undo' }).click()
  await rows(page, 'An answer').waitFor()
})
