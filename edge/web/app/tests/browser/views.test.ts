import { expect, test } from 'vitest'
import { Caller, enter, enterAs, open, profile, rows, say, stage } from './harness'
import { foreign, tour, violations } from './tour'

const { program, browser } = await stage()

/** Of the form that the tour sends to be refused, and of the room that is not there. */
const allowed = /404|409|422/

for (const colorScheme of ['light', 'dark'] as const) {
  for (const width of [320, 1280]) {
    test(`every view is accessible: ${colorScheme}, ${width} px`, async () => {
      const page = await (await profile(browser, { allowed, colorScheme, viewport: { width, height: 720 } })).newPage()
      for await (const view of tour(page, program.url)) {
        expect({ view, found: await violations(page) }).toEqual({ view, found: [] })
        const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
        expect(over, `${view} is wider than the window`).toBeLessThanOrEqual(0)
        expect(await page.locator(':is(a, button) :is(a, button)').count(), `${view} has a control in another`).toBe(0)
      }
    })
  }
}

test('who has no conversation yet is invited once', async () => {
  const page = await enterAs(await profile(browser), await Caller.register(program.url, 'New here'))
  await page.getByText('No conversations yet').waitFor()
  expect(await page.getByRole('heading', { level: 2 }).allTextContents()).toEqual(['No conversations yet'])
  await page.getByRole('link', { name: 'Settings' }).click()
  await expect.poll(() => page.title()).toBe('Settings · Natter')
})

test('no view has words that are not from a message file', async () => {
  const page = await (await profile(browser, { allowed, storage: { 'natter.language': 'en-XA' } })).newPage()
  for await (const view of tour(page, program.url)) expect({ view, found: await foreign(page) }).toEqual({ view, found: [] })
})

test('from right to left no view is cut off', async () => {
  const storage = { 'natter.language': 'ar-XB' }
  const page = await (await profile(browser, { allowed, storage, viewport: { width: 360, height: 720 } })).newPage()
  for await (const view of tour(page, program.url)) {
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
    'data:text/html,<script>alert(1)</script>',
    'JaVaScRiPt:alert(1) vbscript:alert(1) \u0001javascript:alert(1)',
    '[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)',
    `${'`'.repeat(999)}<b onclick=alert(1)>`,
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
  expect(await page.locator('main iframe, main script, main img, main [onerror], main [onclick], main [onload]').count()).toBe(0)
})

test('a link goes where it says, apart from this page', async () => {
  const writer = await Caller.register(program.url, 'javascript:alert(1)')
  const bob = await Caller.logIn(program.url, 'bob')
  const { id } = await writer.post('/api/conversations', { type: 'group', name: 'data:text/html,x', participantIds: [bob.id] })
  const contents = [
    'https://example.org/"onmouseover="alert(1)',
    'https://example.org/<img/src=x/onerror=alert(1)>',
    'javascript:alert(1) data:text/html,<b>x</b> file:///etc/passwd',
    'http://[::1]:99999/ https://user@example.org/ HTTPS://EXAMPLE.ORG/x',
    '**https://example.org/a_(b)_c**, https://example.org/\u202egpj.exe',
  ]
  for (const content of contents) await writer.post('/api/messages', { conversationId: id, content })
  const page = await enter(await profile(browser), program.url, 'Bob')
  await open(page, 'data:text/html,x')
  await page.getByText('file:///etc/passwd').last().waitFor()
  const links = await page.locator('.markup a').evaluateAll((all) =>
    all.map((link) => ({ href: (link as HTMLAnchorElement).href, rel: link.getAttribute('rel'), target: link.getAttribute('target'), names: link.getAttributeNames().filter((name) => name.startsWith('on')) })),
  )
  expect(links.length).toBeGreaterThanOrEqual(5)
  for (const link of links) {
    expect(link.href).toMatch(/^https?:\/\/[^/]+\//)
    expect(link).toMatchObject({ rel: 'noopener noreferrer nofollow', target: '_blank', names: [] })
  }
})

test('an emoji is the same one in text, in reactions, in the picker', async () => {
  const bob = await Caller.logIn(program.url, 'bob')
  const alice = await Caller.logIn(program.url, 'alice')
  const { id } = await alice.post('/api/conversations', { type: 'group', name: 'Emoji', participantIds: [bob.id] })
  const { seq } = await bob.post<{ seq: number }>('/api/messages', { conversationId: id, content: 'so: ☕❤👍' })
  for (const emoji of ['☕', '❤', '👍']) await bob.put(`/api/conversations/${id}/messages/${seq}/reactions/${encodeURIComponent(emoji)}`)
  const page = await enter(await profile(browser), program.url, 'Alice')
  await open(page, 'Emoji')
  const row = rows(page, 'so: ☕❤👍')
  await row.hover()
  await row.getByRole('button', { name: 'React' }).click()
  await page.locator('.picker').waitFor()
  const devtools = await page.context().newCDPSession(page)
  await devtools.send('DOM.enable')
  await devtools.send('CSS.enable')
  /** The fonts that draw an element. */
  const fonts = async (selector: string): Promise<string[]> => {
    const { root } = await devtools.send('DOM.getDocument')
    const { nodeId } = await devtools.send('DOM.querySelector', { nodeId: root.nodeId, selector })
    const { fonts: used } = await devtools.send('CSS.getPlatformFontsForNode', { nodeId })
    return used.filter(({ glyphCount }) => glyphCount > 0).map(({ familyName }) => familyName)
  }
  const picker = await fonts('.picker button')
  expect(picker).toHaveLength(1)
  for (const child of [1, 2, 3]) expect(await fonts(`.reactions li:nth-child(${child}) .emoji`)).toEqual(picker)
  const text = await fonts('[data-row] .markup')
  expect(text).toContain(picker[0])
  // Beside it there is the font of the letters, and no other that draws one of the three.
  expect(text.filter((font) => font !== picker[0]).length).toBeLessThanOrEqual(1)
})

test('a token that runs out in mid-use is renewed, and the work goes on', async () => {
  const context = await profile(browser, { allowed: /401/ })
  const page = await enter(context, program.url, 'Alice')
  let [refused, renewed] = [0, 0]
  page.on('request', (request) => (renewed += Number(request.url().endsWith('/api/auth/refresh'))))
  await page.route('**/api/users**', (route) => {
    refused += 1
    if (refused > 1) return route.continue()
    const body = JSON.stringify({ code: 'token_expired', status: 401, detail: '', title: '', requestId: 'x' })
    return route.fulfill({ status: 401, headers: { 'content-type': 'application/problem+json' }, body })
  })
  await page.getByRole('button', { name: 'New conversation' }).click()
  await page.getByRole('dialog').getByRole('searchbox').fill('bob')
  await page.getByRole('dialog').getByRole('button', { name: /Bob/ }).waitFor()
  expect({ refused: refused > 1, renewed }).toEqual({ refused: true, renewed: 1 })
})

test('the mark of the focus is not covered by the next message', async () => {
  const [alice, bob] = [await Caller.logIn(program.url, 'alice'), await Caller.logIn(program.url, 'bob')]
  const { id } = await alice.post('/api/conversations', { type: 'group', name: 'Ring', participantIds: [bob.id] })
  const { seq } = await bob.post<{ seq: number }>('/api/messages', { conversationId: id, content: 'above' })
  await bob.post('/api/messages', { conversationId: id, content: 'below' })
  await bob.put(`/api/conversations/${id}/messages/${seq}/reactions/${encodeURIComponent('👍')}`)
  const page = await enter(await profile(browser), program.url, 'Alice')
  await open(page, 'Ring')
  const button = rows(page, 'above').locator('.reactions button')
  await page.keyboard.press('Shift')
  await button.focus()
  const end = await button.evaluate((element) => {
    const { outlineOffset, outlineWidth } = getComputedStyle(element)
    return element.getBoundingClientRect().bottom + parseFloat(outlineOffset) + parseFloat(outlineWidth)
  })
  const next = (await rows(page, 'below').locator('.bubble').boundingBox())!
  expect(end).toBeLessThanOrEqual(next.y)
})
