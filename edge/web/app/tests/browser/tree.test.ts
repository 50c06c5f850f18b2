import type { Locator } from 'playwright-core'
import { expect, test } from 'vitest'
import { Caller, enter, open, profile, rows, stage } from './harness'

const { program, browser } = await stage()

test('a room is a sensible tree of names and roles', async () => {
  const [alice, bob] = await Promise.all(['alice', 'bob'].map((name) => Caller.logIn(program.url, name)))
  const { id } = await alice!.post('/api/conversations', { type: 'group', name: 'Tree', participantIds: [bob!.id] })
  const { seq } = await bob!.post<{ seq: number }>('/api/messages', { conversationId: id, content: 'A **question**?' })
  await alice!.post('/api/messages', { conversationId: id, content: 'An answer.', replyTo: seq })
  await alice!.put(`/api/conversations/${id}/messages/${seq}/reactions/${encodeURIComponent('👍')}`)
  const page = await enter(await profile(browser), program.url, 'Alice')
  await open(page, 'Tree')
  await rows(page, 'An answer.').waitFor()
  // What can be done with messages is there when the history is at rest.
  await page.getByRole('button', { name: 'More' }).nth(1).waitFor()
  expect(await tree(page.locator('.pane'))).toEqual([
    'heading "Tree" [level=1]',
    'button "Details"',
    'region "Messages"',
    'article by Bob',
    'button "React"',
    'button "Reply"',
    'button "More"',
    'list "Reactions"',
    expect.stringMatching(/^button "👍.*" \[pressed\]$/),
    'article by You',
    expect.stringMatching(/^button ".*A question\?"$/),
    'button "React"',
    'button "Reply"',
    'button "More"',
    'textbox "Message"',
    'button "Send" [disabled]',
  ])
  const side = await tree(page.locator('.side'))
  expect(side.slice(0, 5)).toEqual([
    'link "Settings"',
    'heading "Chats" [level=1]',
    'button "New conversation"',
    expect.stringMatching(/^searchbox "Find a chat/),
    'navigation "Chats"',
  ])
  expect(side[5]).toMatch(/^link "Tree .*You: An answer\."$/)
})

/** What has a name, in the order in which it is read; a message by its author. */
async function tree(part: Locator): Promise<string[]> {
  const lines = (await part.ariaSnapshot()).split('\n').flatMap((line) => /^\s*- '?([a-z]+ "(?:[^"\\]|\\.)*"(?: \[[^\]]+\])*)/.exec(line)?.[1] ?? [])
  return lines.map((line) => line.replace(/^article "(?:Message by )?(You|Bob)\b.*$/, 'article by $1'))
}
