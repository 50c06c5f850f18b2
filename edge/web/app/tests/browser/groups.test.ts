/** Members of a group and what their roles allow; blocks. */
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { Caller, enterAs, focused, profile, rows, say, send, stage } from './harness'

const { program, browser } = await stage()

/** One after the other: passwords are hashed, and too many at once are refused. */
async function people(...names: string[]): Promise<Caller[]> {
  const made: Caller[] = []
  for (const name of names) made.push(await Caller.register(program.url, name))
  return made
}
const member = (page: Page, name: string) => page.getByRole('dialog').getByRole('listitem').filter({ hasText: name })
const inHeader = (page: Page, name: string) => page.getByRole('heading', { name, exact: true })

async function group(owner: Caller, name: string, others: Caller[]): Promise<string> {
  const { id } = await owner.post('/api/conversations', { type: 'group', name, participantIds: others.map((one) => one.id) })
  return id
}

async function details(owner: Caller, id: string, allowed?: RegExp): Promise<Page> {
  const page = await enterAs(await profile(browser, allowed ? { allowed } : {}), owner, `/c/${id}`)
  await page.getByRole('button', { name: 'Details' }).click()
  await page.getByRole('dialog').getByRole('listitem').first().waitFor()
  return page
}

async function act(page: Page, name: string, action: string): Promise<void> {
  await page.getByRole('button', { name: `Actions for ${name}` }).click()
  await page.getByRole('menuitem', { name: action }).click()
}

test('an owner adds people, gives roles and removes', async () => {
  const [olga, adam, mila, nora] = (await people('Olga', 'Adam', 'Mila', 'Nora')) as [Caller, Caller, Caller, Caller]
  const id = await group(olga, 'Workshop', [adam, mila])
  const page = await details(olga, id)
  await page.getByText('3 members').last().waitFor()
  await page.getByRole('button', { name: 'Add people' }).click()
  await page.getByLabel('Find people').fill(nora.username)
  await page.getByRole('button', { name: /^Nora/ }).click()
  await page.getByRole('form', { name: 'Add people' }).getByRole('button', { name: 'Add people' }).click()
  await page.getByRole('form', { name: 'Add people' }).waitFor({ state: 'detached' })
  await member(page, 'Nora').waitFor()
  await act(page, 'Adam', 'Make admin')
  await member(page, 'Adam').getByText('Admin', { exact: true }).waitFor()
  await act(page, 'Mila', 'Remove from the group')
  await member(page, 'Mila').waitFor({ state: 'detached' })
  await page.getByRole('button', { name: 'Undo' }).click()
  await member(page, 'Mila').waitFor()
  const { participants } = await olga.get<{ participants: { displayName: string; role: string }[] }>(`/api/conversations/${id}`)
  expect(participants.map(({ displayName, role }) => `${displayName}: ${role}`).toSorted()).toEqual(['Adam: admin', 'Mila: member', 'Nora: member', 'Olga: owner'])
})

test('a group is handed over, and left by its former owner', async () => {
  const [olga, adam] = (await people('Olga', 'Adam')) as [Caller, Caller]
  const id = await group(olga, 'Handed over', [adam])
  // What was open is asked for once more when it is gone.
  const page = await details(olga, id, /404/)
  await act(page, 'Adam', 'Make owner')
  await page.getByText('Adam becomes the owner and you become an admin.').waitFor()
  await page.getByRole('button', { name: 'Make owner' }).click()
  await member(page, 'Adam').getByText('Owner').waitFor()
  await member(page, 'Olga').getByText('Admin').waitFor()
  expect(await page.getByRole('button', { name: /^Actions for/ }).count()).toBe(0)
  await page.getByRole('button', { name: 'Leave the group' }).click()
  await page.getByRole('button', { name: 'Leave', exact: true }).click()
  await page.getByRole('heading', { name: 'No conversations yet' }).waitFor()
  await page.getByRole('button', { name: 'Undo' }).click()
  await inHeader(page, 'Handed over').waitFor()
})

test('a member is offered nothing that only others may do', async () => {
  const [olga, adam, mila] = (await people('Olga', 'Adam', 'Mila')) as [Caller, Caller, Caller]
  const id = await group(olga, 'Roles', [adam, mila])
  const page = await details(mila, id)
  const dialog = page.getByRole('dialog')
  await member(page, 'Olga').getByText('Owner').waitFor()
  expect(await dialog.getByRole('button').allInnerTexts()).toEqual(['', 'Leave the group'])
  // What others change is seen without asking.
  await send(olga, 'PATCH', `/api/conversations/${id}/participants/${mila.id}`, { role: 'admin' })
  await dialog.getByRole('button', { name: 'Add people' }).waitFor()
  await dialog.getByRole('button', { name: 'Actions for Adam' }).click()
  expect(await page.getByRole('menuitem').allInnerTexts()).toEqual(['Remove from the group'])
  await page.keyboard.press('Escape')
  await send(olga, 'DELETE', `/api/conversations/${id}/participants/${adam.id}`)
  await member(page, 'Adam').waitFor({ state: 'detached' })
  await dialog.getByText('2 members').waitFor()
})

test('what a role no longer allows is refused in words', async () => {
  const [olga, adam, mila] = (await people('Olga', 'Adam', 'Mila')) as [Caller, Caller, Caller]
  const id = await group(olga, 'Refusals', [adam, mila])
  await send(olga, 'PATCH', `/api/conversations/${id}/participants/${adam.id}`, { role: 'admin' })
  const page = await details(adam, id, /403/)
  await page.getByRole('button', { name: 'Actions for Mila' }).click()
  // The role is lost while the menu is open.
  await page.route(`**/participants/${mila.id}`, async (route) => {
    await send(olga, 'PATCH', `/api/conversations/${id}/participants/${adam.id}`, { role: 'member' })
    await route.continue()
  })
  await page.getByRole('menuitem', { name: 'Remove from the group' }).click()
  await page.getByText('Your role in this group does not allow this.').waitFor()
  await page.getByRole('button', { name: 'Add people' }).waitFor({ state: 'detached' })
  await member(page, 'Mila').waitFor()
})

test('a group is renamed, and everyone sees it', async () => {
  const [olga, adam] = (await people('Olga', 'Adam')) as [Caller, Caller]
  const id = await group(olga, 'Before', [adam])
  const page = await details(olga, id)
  const other = await enterAs(await profile(browser), adam, `/c/${id}`)
  await inHeader(other, 'Before').waitFor()
  await page.getByRole('button', { name: 'Rename' }).click()
  await page.getByLabel('Name of the group').fill('After')
  await page.getByRole('button', { name: 'Save' }).click()
  await inHeader(other, 'After').waitFor()
  await page.getByRole('dialog').getByText('After', { exact: true }).waitFor()
})

test('a large group is listed page by page', async () => {
  const [olga, adam, mila, nora] = (await people('Olga', 'Adam', 'Mila', 'Nora')) as [Caller, Caller, Caller, Caller]
  const id = await group(olga, 'Crowd', [adam, mila, nora])
  const context = await profile(browser)
  // The server's own pages, with fewer in each.
  await context.route('**/participants?limit=100*', (route) => route.continue({ url: route.request().url().replace('limit=100', 'limit=2') }))
  const page = await enterAs(context, olga, `/c/${id}`)
  await page.getByRole('button', { name: 'Details' }).click()
  const list = page.getByRole('dialog').getByRole('listitem')
  await expect.poll(() => list.count()).toBe(2)
  await page.getByRole('button', { name: 'Show more' }).click()
  await expect.poll(() => list.count()).toBe(4)
  expect(await page.getByRole('button', { name: 'Show more' }).count()).toBe(0)
  // All that is shown is right after a change, on whichever page it is.
  await send(olga, 'DELETE', `/api/conversations/${id}/participants/${adam.id}`)
  await member(page, 'Adam').waitFor({ state: 'detached' })
  await expect.poll(() => list.count()).toBe(3)
})

test('a member of a large group is found by name', async () => {
  const [olga, ...others] = await people('Olga', ...Array.from({ length: 20 }, (_, at) => `Person ${at}`), 'Quentin Xylander')
  const id = await group(olga!, 'Crowd', others)
  const context = await profile(browser)
  await context.route('**/participants?limit=100*', (route) => route.continue({ url: route.request().url().replace('limit=100', 'limit=5') }))
  const page = await enterAs(context, olga!, `/c/${id}`)
  await page.getByRole('button', { name: 'Details' }).click()
  const list = page.getByRole('dialog').getByRole('listitem')
  await expect.poll(() => list.count()).toBe(5)
  await page.getByLabel('Find a member').fill('xylander quentin')
  await member(page, 'Quentin Xylander').waitFor()
  await expect.poll(() => list.count()).toBe(1)
  await page.getByLabel('Find a member').fill('not here')
  await page.getByText('Nothing found').waitFor()
})

test('who is removed from an open group reads that it is gone', async () => {
  const [olga, adam] = (await people('Olga', 'Adam')) as [Caller, Caller]
  const id = await group(olga, 'Closing', [adam])
  const page = await enterAs(await profile(browser, { allowed: /404/ }), adam, `/c/${id}`)
  await inHeader(page, 'Closing').waitFor()
  await send(olga, 'DELETE', `/api/conversations/${id}/participants/${adam.id}`)
  await page.getByRole('heading', { name: 'This conversation is not here' }).waitFor()
  await send(olga, 'POST', `/api/conversations/${id}/participants`, { userIds: [adam.id] })
  await inHeader(page, 'Closing').waitFor()
})

test('a blocked room offers to unblock instead of a composer', async () => {
  const [vera, emil] = (await people('Vera', 'Emil')) as [Caller, Caller]
  const { id } = await vera.post('/api/conversations', { type: 'direct', participantIds: [emil.id] })
  await vera.put(`/api/blocks/${emil.id}`)
  const page = await enterAs(await profile(browser), vera, `/c/${id}`)
  await page.getByText('You have blocked Emil.').waitFor()
  expect(await page.getByRole('textbox', { name: 'Message' }).count()).toBe(0)
  await page.getByRole('button', { name: 'Unblock' }).click()
  await say(page, 'Hello again')
  await rows(page, 'Hello again').getByText('Sent', { exact: true }).waitFor()
  expect((await vera.get<{ items: unknown[] }>('/api/blocks')).items).toEqual([])
})

test('a block is undone in the conversation and in the settings', async () => {
  const [olga, adam] = (await people('Olga', 'Adam')) as [Caller, Caller]
  const { id } = await olga.post('/api/conversations', { type: 'direct', participantIds: [adam.id] })
  const page = await enterAs(await profile(browser), olga, `/c/${id}`)
  const details = page.getByRole('dialog')
  await page.getByRole('button', { name: 'Details' }).click()
  await details.getByRole('button', { name: 'Block', exact: true }).click()
  await details.getByText('You have blocked Adam.').waitFor()
  await details.getByRole('button', { name: 'Unblock' }).click()
  await details.getByRole('button', { name: 'Block', exact: true }).click()
  await details.getByText('You have blocked Adam.').waitFor()
  await page.keyboard.press('Escape')
  await page.getByRole('link', { name: 'Settings' }).click()
  await page.getByRole('button', { name: 'Unblock Adam' }).click()
  await page.getByText('You have blocked no one.').waitFor()
  expect((await olga.get<{ items: unknown[] }>('/api/blocks')).items).toEqual([])
  await page.goto(`${program.url}/c/${id}`)
  await say(page, 'Hello again')
  await rows(page, 'Hello again').getByText('Sent', { exact: true }).waitFor()
})

test('one person and no name make a direct conversation', async () => {
  const [olga, adam, mila] = (await people('Olga', 'Adam Apfel', 'Mila')) as [Caller, Caller, Caller]
  const page = await enterAs(await profile(browser), olga)
  const dialog = page.getByRole('dialog')
  const choose = async (caller: Caller) => {
    await dialog.getByLabel('Find people').fill(caller.username)
    await dialog.getByRole('button', { name: new RegExp(`@${caller.username}`) }).click()
  }
  await page.getByRole('button', { name: 'New conversation' }).first().click()
  await dialog.getByLabel('Find people').fill(olga.username)
  await dialog.getByText('That is you.').waitFor()
  expect(await dialog.locator('[aria-busy=true]').count()).toBe(0)
  await choose(adam)
  await choose(mila)
  await dialog.getByRole('button', { name: 'Create a group with 2 people' }).waitFor()
  await dialog.getByRole('button', { name: 'Remove Mila' }).click()
  await dialog.getByRole('button', { name: 'Start the conversation' }).click()
  await inHeader(page, 'Adam Apfel').waitFor()
  const { items } = await olga.get<{ items: { type: string }[] }>('/api/conversations')
  expect(items.map(({ type }) => type)).toEqual(['direct'])
})

test('a group without a name is called the same by everyone', async () => {
  const [olga, adam, mila, nora] = (await people('Olga', 'Adam', 'Mila', 'Nora')) as [Caller, Caller, Caller, Caller]
  const page = await enterAs(await profile(browser), olga)
  const dialog = page.getByRole('dialog')
  await page.getByRole('button', { name: 'New conversation' }).first().click()
  for (const caller of [adam, mila, nora]) {
    await dialog.getByLabel('Find people').fill(caller.username)
    await dialog.getByRole('button', { name: new RegExp(`@${caller.username}`) }).click()
  }
  await dialog.getByRole('button', { name: 'Create a group with 3 people' }).click()
  await inHeader(page, 'Olga, Adam, Mila and 1 other').waitFor()
  const { items } = await nora.get<{ items: { id: string; name: string }[] }>('/api/conversations')
  expect(items.map(({ name }) => name)).toEqual(['Olga, Adam, Mila and 1 other'])
  // One that a program has made without a name has its day, before and after it was opened.
  const { id } = await adam.post('/api/conversations', { type: 'group', participantIds: [olga.id] })
  const row = page.locator(`[data-room][href="/c/${id}"]`)
  await row.getByText(/^Group from /).waitFor()
  await row.click()
  await page.getByRole('heading', { name: /^Group from / }).waitFor()
})

test('a reaction beyond the limit is refused in words', async () => {
  const [olga, adam] = (await people('Olga', 'Adam')) as [Caller, Caller]
  const { id } = await olga.post('/api/conversations', { type: 'direct', participantIds: [adam.id] })
  const { seq } = await adam.post<{ seq: number }>('/api/messages', { conversationId: id, content: 'React to this' })
  // As many as one user may set.
  for (const emoji of ['💙', '💚', '💛', '🧡', '💜', '🖤', '💔', '⭐', '✨', '💡']) {
    await send(olga, 'PUT', `/api/conversations/${id}/messages/${seq}/reactions/${encodeURIComponent(emoji)}`)
  }
  const page = await enterAs(await profile(browser), olga, `/c/${id}`)
  await rows(page, 'React to this').hover()
  await rows(page, 'React to this').getByRole('button', { name: 'React', exact: true }).click()
  await page.locator('.picker').getByText('🎉', { exact: true }).click()
  await page.getByText('No more reactions can be added to this message.').first().waitFor()
})

test('the focus stays where a block was set and lifted', async () => {
  const [olga, adam] = (await people('Olga', 'Adam')) as [Caller, Caller]
  const { id } = await olga.post('/api/conversations', { type: 'direct', participantIds: [adam.id] })
  const page = await enterAs(await profile(browser), olga, `/c/${id}`)
  await page.getByRole('button', { name: 'Details' }).click()
  const block = page.getByRole('dialog').getByRole('button', { name: 'Block', exact: true })
  await block.focus()
  await page.keyboard.press('Enter')
  await page.getByRole('dialog').getByText('You have blocked Adam.').waitFor()
  expect(await focused(page)).toBe('button: Unblock')
  await page.keyboard.press('Enter')
  await block.waitFor()
  expect(await focused(page)).toBe('button: Block')
})

test('Escape takes back a question, and not its dialog', async () => {
  const [olga, adam] = (await people('Olga', 'Adam')) as [Caller, Caller]
  const page = await details(olga, await group(olga, 'Question', [adam]))
  await act(page, 'Adam', 'Make owner')
  const question = page.getByRole('group', { name: /Adam becomes the owner/ })
  await question.waitFor()
  await page.keyboard.press('Escape')
  await question.waitFor({ state: 'detached' })
  await member(page, 'Adam').waitFor()
  await page.keyboard.press('Escape')
  await page.getByRole('dialog').waitFor({ state: 'detached' })
})

test('a group of two without a name is shown as a group', async () => {
  const [olga, adam] = (await people('Olga', 'Adam')) as [Caller, Caller]
  const { id } = await olga.post('/api/conversations', { type: 'group', participantIds: [adam.id] })
  await olga.post('/api/messages', { conversationId: id, content: 'just us' })
  const page = await details(adam, id)
  await inHeader(page, `Group from ${new Intl.DateTimeFormat('en-US', { dateStyle: 'medium' }).format(new Date())}`).waitFor({ state: 'attached' })
  await page.getByRole('dialog', { name: 'Group' }).getByText('2 members').waitFor()
  await page.keyboard.press('Escape')
  await rows(page, 'just us').getByText('Olga', { exact: true }).waitFor()
  await page.locator('[data-room]').filter({ hasText: 'Group from' }).getByText('Olga:').waitFor()
})

test('how many people were found is read out', async () => {
  const [olga] = (await people('Olga')) as [Caller]
  const page = await enterAs(await profile(browser), olga)
  await page.getByRole('button', { name: 'New conversation' }).first().click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Find people').fill(olga.username)
  await dialog.getByRole('status').getByText('That is you.').or(dialog.getByText('That is you.')).first().waitFor()
  await dialog.getByLabel('Find people').fill('bob')
  await dialog.getByRole('status').filter({ hasText: '1 result' }).waitFor({ state: 'attached' })
})
