/** Every view of the client, one after the other, and what is asked of each of them. */
import type { AxeResults } from 'axe-core'
import { readFileSync } from 'node:fs'
import type { Page } from 'playwright-core'

/** Each view by its name, once it is whole. Found by what does not depend on the language. */
export async function* tour(page: Page, url: string): AsyncGenerator<string> {
  await page.goto(`${url}/register`)
  await page.locator('form').waitFor()
  yield 'register'
  await page.locator('form input[autocomplete=username]').fill('X')
  await page.locator('form input[type=email]').fill('x@example.org')
  await page.locator('form input[type=password]').fill('a long password')
  await page.locator('form button[type=submit]').click()
  await page.locator('[aria-invalid=true]').waitFor()
  yield 'register, refused'
  await page.goto(`${url}/forgot-password`)
  await page.locator('form input[type=email]').waitFor()
  yield 'forgotten password'
  await page.goto(`${url}/reset-password#token`)
  await page.locator('form input[type=password]').waitFor()
  yield 'new password'
  await page.goto(`${url}/confirm-email#token`)
  await page.locator('form button[type=submit]').waitFor()
  yield 'new address'
  await page.goto(`${url}/login`)
  await page.locator('section button').first().waitFor()
  yield 'log-in'
  await page.locator('section button').first().click()
  await page.locator('[data-room]').first().waitFor()
  yield 'rooms'
  await page.locator('#find').fill('no such room')
  await page.locator('nav .empty').waitFor()
  yield 'rooms, nothing found'
  await page.locator('#find').fill('')
  yield* rooms(page)
  await page.goto(`${url}/c/00000000-0000-7000-8000-000000000000`)
  await page.locator('.pane .empty').waitFor()
  yield 'a room that is not there'
  await page.goto(`${url}/settings`)
  await page.locator('.settings form').first().waitFor()
  yield 'settings'
}

async function* rooms(page: Page): AsyncGenerator<string> {
  await page.locator('.side header button').first().click()
  const dialog = page.getByRole('dialog')
  await dialog.locator('input').first().waitFor()
  yield 'new conversation'
  await dialog.locator('input').first().fill('bo')
  await dialog.locator('.person').first().waitFor()
  yield 'new conversation, found'
  await close(page, 'dialog')
  await page.locator('[data-room]').filter({ hasText: 'Natter' }).click()
  const field = page.locator('#composer')
  await field.fill('**bold** _italic_ `code` https://example.org/\n> quote\n```\nlet x = 1\n```')
  await page.locator('form.composer button[type=submit]').click()
  const row = page.locator('[data-row]', { hasText: 'let x = 1' }).last()
  await row.waitFor()
  yield 'room'
  await field.fill('x'.repeat(8_200))
  await page.locator('#composer-limit').waitFor()
  yield 'room, too long'
  await field.fill('')
  // By keyboard: where there is little room, a message shows no tools of its own.
  await row.focus()
  await page.keyboard.press('+')
  await page.locator('.picker').waitFor()
  yield 'picker'
  await close(page, '.picker')
  await row.focus()
  await page.keyboard.press('Enter')
  await page.getByRole('menu').waitFor()
  yield 'menu'
  await close(page, 'menu')
  await row.focus()
  await page.keyboard.press('e')
  await page.locator('.composer .about').waitFor()
  yield 'room, editing'
  await field.press('Escape')
  await row.focus()
  await page.keyboard.press('Delete')
  await page.locator('.toast').waitFor()
  yield 'room, deleted'
  await page.locator('.toast .action').click()
  await page.locator('.pane header button').last().click()
  await dialog.waitFor()
  yield 'details'
  await close(page, 'dialog')
}

async function close(page: Page, what: 'dialog' | 'menu' | '.picker'): Promise<void> {
  await page.keyboard.press('Escape')
  await (what === '.picker' ? page.locator(what) : page.getByRole(what)).waitFor({ state: 'detached' })
}

/** Movement has ended: colors in between are no one's choice. */
export const settled = (page: Page): Promise<void> =>
  page.evaluate(async () => {
    const finite = document.getAnimations().filter((animation) => animation.effect?.getComputedTiming().iterations !== Infinity)
    await Promise.allSettled(finite.map((animation) => animation.finished))
  })

const axe = readFileSync(new URL('../../../node_modules/axe-core/axe.min.js', import.meta.url), 'utf8')
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']

/** What breaks a rule of WCAG 2.2, level A or AA, or a best practice. */
export async function violations(page: Page): Promise<string[]> {
  await settled(page)
  await page.evaluate(axe)
  // Menus are beside the landmarks, as the dialogs that they belong to: no rule of WCAG is about that.
  const options = JSON.stringify({ runOnly: TAGS, rules: { region: { enabled: false } } })
  const results = (await page.evaluate(`axe.run(document, ${options})`)) as AxeResults
  return results.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(' | ')}`)
}

/** Text that people see or hear and that is not from a message file, in the pseudo-language, which brackets all of that. */
export const foreign = (page: Page): Promise<string[]> =>
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
