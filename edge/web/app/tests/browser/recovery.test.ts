import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { Caller, focused, profile, stage } from './harness'

/** Takes mail as sendmail does, and keeps it. */
const mailbox = mkdtempSync(join(tmpdir(), 'natter-mail-'))
afterAll(() => rmSync(mailbox, { recursive: true, force: true }))
const postman = join(mailbox, 'postman')
writeFileSync(postman, 'mail=$(mktemp -p "$1")\ncat > "$mail"\nmv "$mail" "$mail.mail"\n')
const { program, browser } = await stage({ MAIL_COMMAND: `sh ${postman} ${mailbox}`, MAIL_FROM: 'chat@natter.example' })

/** Refusals that a test provokes, and that of a session which is not there. */
const ALLOWED = { allowed: /400|401/ }

/** The link of the one mail to this address that leads to this page. */
async function link(address: string, to = 'reset-password'): Promise<string> {
  const found = () =>
    existsSync(mailbox)
      ? readdirSync(mailbox)
          .filter((name) => name.endsWith('.mail'))
          .map((name) => readFileSync(join(mailbox, name), 'utf8').replace(/=\r?\n/g, '').replace(/=3D/g, '='))
          .find((mail) => mail.includes(`To: ${address}`) && mail.includes(`/${to}#`))
      : undefined
  await expect.poll(found, { timeout: 20_000 }).toBeTruthy()
  return /http\S+\/[a-z-]+#\S+/.exec(found() ?? '')?.[0] ?? ''
}

test('who has forgotten the password sets another by a mail', async () => {
  const dora = await Caller.register(program.url, 'Dora')
  const context = await profile(browser, ALLOWED)
  const page = await context.newPage()
  await page.goto(`${program.url}/login`)
  await page.getByRole('link', { name: 'Forgot your password?' }).click()
  await page.getByLabel('Email').fill(`${dora.username}@example.org`)
  await page.getByRole('button', { name: 'Send the link' }).click()
  await page.getByRole('heading', { name: 'Look into your mailbox' }).waitFor()
  expect(await focused(page)).toBe('h1: Look into your mailbox')
  const address = await link(`${dora.username}@example.org`)
  expect(address.startsWith(program.url)).toBe(true)
  await page.goto(address)
  await page.getByRole('textbox', { name: 'New password' }).fill('staple battery')
  expect(page.url()).toBe(`${program.url}/reset-password`)
  await page.getByRole('button', { name: 'Set the password' }).click()
  await page.getByRole('heading', { name: 'Your password is set' }).waitFor()
  await page.getByRole('link', { name: 'Back to log-in' }).click()
  await page.getByLabel('Username or email').fill(dora.username)
  await page.getByRole('textbox', { name: 'Password' }).fill('staple battery')
  await page.getByRole('button', { name: 'Log in', exact: true }).click()
  await page.locator('main.chat').waitFor()
  // The link was good once.
  const other = await profile(browser, ALLOWED)
  const late = await other.newPage()
  await late.goto(address)
  await late.getByRole('textbox', { name: 'New password' }).fill('another one')
  await late.getByRole('button', { name: 'Set the password' }).click()
  await late.getByText('The link was used, has expired').waitFor()
  await late.getByRole('link', { name: 'Request another link' }).click()
  await late.getByRole('heading', { name: 'Forgot your password?' }).waitFor()
})

test('a link is good whoever is logged in in this browser', async () => {
  const context = await profile(browser, { ...ALLOWED, locale: 'de-DE' })
  const page = await context.newPage()
  await page.goto(`${program.url}/login`)
  await page.getByRole('button', { name: /Alice/ }).click()
  await page.locator('[data-room]').first().waitFor()
  await page.goto(`${program.url}/reset-password#no-token`)
  await page.getByRole('heading', { name: 'Neues Passwort festlegen' }).waitFor()
  await page.goto(`${program.url}/reset-password`)
  await page.reload()
  await page.getByText('Fordere einen neuen an').waitFor()
})

test('a new address counts when its link was opened', async () => {
  const erna = await Caller.register(program.url, 'Erna')
  const wanted = `new-${erna.username}@example.org`
  const context = await profile(browser, ALLOWED)
  const page = await context.newPage()
  await page.goto(`${program.url}/login`)
  await page.getByLabel('Username or email').fill(erna.username)
  await page.getByRole('textbox', { name: 'Password' }).fill('correct horse')
  await page.getByRole('button', { name: 'Log in', exact: true }).click()
  await page.locator('main.chat').waitFor()
  await page.goto(`${program.url}/settings`)
  const form = page.getByRole('form', { name: 'Change email address' })
  await form.getByLabel('New email address').fill(wanted)
  await form.getByLabel('Current password').fill('not the one')
  await form.getByRole('button', { name: 'Send the link' }).click()
  await form.getByText('This is not your current password').waitFor()
  await form.getByLabel('Current password').fill('correct horse')
  await form.getByRole('button', { name: 'Send the link' }).click()
  await form.getByText(`If no other account has ${wanted}`).waitFor()
  await page.goto(await link(wanted, 'confirm-email'))
  await page.getByRole('button', { name: 'Use this address' }).click()
  await page.getByRole('heading', { name: 'Your address is changed' }).waitFor()
  expect(page.url()).toBe(`${program.url}/confirm-email`)
  await page.getByRole('link', { name: 'Back to the chats' }).click()
  await page.goto(`${program.url}/settings`)
  await page.getByRole('form', { name: 'Change email address' }).getByText(wanted, { exact: true }).waitFor()
})
