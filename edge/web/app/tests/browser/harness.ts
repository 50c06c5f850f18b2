/** The real program in a folder of its own, and Chromium in front of it. Nothing is stubbed but what a test names. */
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { afterAll, expect, onTestFinished } from 'vitest'

const PATIENCE = 20_000

const program = process.env['NATTER_BINARY'] ?? ''
const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium'

export class Program {
  #child: ChildProcess | undefined
  readonly #folder = mkdtempSync(join(tmpdir(), 'natter-web-'))
  #port = 0

  private constructor(readonly settings: Record<string, string>) {}

  /** `settings` as in docs/operations.md. */
  static async start(settings: Record<string, string> = {}, port?: number): Promise<Program> {
    if (program === '') throw new Error('NATTER_BINARY is the program to test: run scripts/test-web')
    const made = new Program(settings)
    made.#port = port ?? (await freePort())
    await made.run().catch(async (error: unknown) => {
      await made.stop()
      throw error
    })
    return made
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  async run(): Promise<void> {
    const ports = ['--port', String(this.#port), '--admin-port', '0']
    const child = spawn(program, ['dev', '--demo', ...ports, '--data-dir', join(this.#folder, 'data')], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...this.settings },
    })
    this.#child = child
    let said = ''
    await new Promise<void>((resolve, reject) => {
      const listen = (bytes: Buffer) => {
        said += bytes.toString()
        if (said.includes('Ctrl-C ends everything')) resolve()
      }
      child.stdout.on('data', listen)
      child.stderr.on('data', listen)
      child.once('exit', (code) => reject(new Error(`natter dev ended with ${code}:\n${said}`)))
      setTimeout(() => reject(new Error(`natter dev is not ready:\n${said}`)), PATIENCE * 3).unref()
    })
  }

  /** As a crash would: nothing is said to anyone. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill(signal)
    await ended
  }

  async stop(): Promise<void> {
    await this.#end('SIGTERM')
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}

const launch = (): Promise<Browser> => chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] })

/** The program and the browser of one file of tests: `const { program, browser } = await stage()`. */
export async function stage(settings: Record<string, string> = {}, port?: number): Promise<{ program: Program; browser: Browser }> {
  const started = await Promise.allSettled([Program.start(settings, port), launch()])
  const [program, browser] = started.map((one) => (one.status === 'fulfilled' ? one.value : undefined)) as [Program?, Browser?]
  const end = async () => {
    await browser?.close()
    await program?.stop()
  }
  if (program && browser) {
    afterAll(end)
    return { program, browser }
  }
  // One without the other is not left behind.
  await end()
  throw started.find((one) => one.status === 'rejected')?.reason
}

/** What a page must never say; a test that provokes a refusal names what it expects. */
export class Complaints {
  readonly found: string[] = []

  watch(context: BrowserContext, allowed: RegExp): void {
    context.on('weberror', (error) => this.found.push(`error: ${error.error().stack}`))
    context.on('dialog', (dialog) => {
      this.found.push(`dialog: ${dialog.message()}`)
      void dialog.dismiss()
    })
    context.on('console', (message) => {
      if (message.type() !== 'error' && message.type() !== 'warning') return
      const text = `${message.type()}: ${message.text()} ${message.location().url}`
      if (!allowed.test(text)) this.found.push(text)
    })
  }
}

interface Options extends BrowserContextOptions {
  storage?: Record<string, string>
  /** Console errors that the test provokes. */
  allowed?: RegExp
}

/** A browser profile of its own; at the end of the test it must not have complained: no error, no report of the CSP. */
export async function profile(browser: Browser, { storage = {}, allowed = /^$/, ...options }: Options = {}): Promise<BrowserContext> {
  const context = await browser.newContext({ locale: 'en-US', viewport: { width: 1280, height: 800 }, ...options })
  context.setDefaultTimeout(PATIENCE)
  const complaints = new Complaints()
  complaints.watch(context, allowed)
  await context.addInitScript(
    `addEventListener('securitypolicyviolation', (event) => console.error('CSP: ' + event.violatedDirective + ' ' + event.blockedURI + ' ' + event.sample));
     // A page of no origin has no storage.
     if (origin !== 'null') for (const [key, value] of Object.entries(${JSON.stringify(storage)})) if (localStorage.getItem(key) === null) localStorage.setItem(key, value);`,
  )
  onTestFinished(async () => {
    await context.close()
    expect(complaints.found).toEqual([])
  })
  return context
}

/** Logged in with one click, at the list of rooms. */
export async function enter(context: BrowserContext, url: string, name: 'Alice' | 'Bob'): Promise<Page> {
  const page = await context.newPage()
  await page.goto(`${url}/login`)
  await page.getByRole('button', { name: new RegExp(name) }).click()
  await page.locator('[data-room]').first().waitFor()
  return page
}

export async function open(page: Page, room: string): Promise<void> {
  await page.locator('[data-room]').filter({ hasText: room }).first().click()
  await page.getByRole('textbox', { name: 'Message' }).waitFor()
  // What is not shown yet takes no focus; a room without messages has no rows to wait for.
  await page.locator('[aria-busy="false"] [data-row]:visible, .scroller[aria-busy="false"]:not(:has([data-row]))').first().waitFor()
}

export async function say(page: Page, text: string): Promise<void> {
  const field = page.getByRole('textbox', { name: 'Message' })
  await field.fill(text)
  await field.press('Enter')
}

/** Rows of the history with exactly this text. */
export const rows = (page: Page, text: string) =>
  page.locator('[data-row]').filter({ has: page.getByText(text, { exact: true }) })

/** An account and calls of its own, beside the page. */
export class Caller {
  private constructor(
    readonly url: string,
    readonly id: string,
    readonly username: string,
    readonly token: string,
  ) {}

  static async logIn(url: string, login: string, password = 'natter-demo'): Promise<Caller> {
    return Caller.#opened(url, await call(url, 'POST', '/api/auth/login', { body: { login, password } }))
  }

  static async register(url: string, displayName: string): Promise<Caller> {
    const username = `u${Math.random().toString(36).slice(2, 12)}`
    const account = { username, displayName, email: `${username}@example.org`, password: 'correct horse' }
    return Caller.#opened(url, await call(url, 'POST', '/api/auth/register', { body: account }))
  }

  static #opened(url: string, session: { user: { id: string; username: string }; token: string }): Caller {
    return new Caller(url, session.user.id, session.user.username, session.token)
  }

  get<T>(path: string): Promise<T> {
    return call(this.url, 'GET', path, { token: this.token })
  }

  post<T = { id: string }>(path: string, body: unknown): Promise<T> {
    return call(this.url, 'POST', path, { token: this.token, body })
  }

  put(path: string): Promise<void> {
    return call(this.url, 'PUT', path, { token: this.token })
  }

  delete(path: string): Promise<void> {
    return call(this.url, 'DELETE', path, { token: this.token })
  }
}

async function call<T>(url: string, method: string, path: string, { token, body }: { token?: string; body?: unknown }): Promise<T> {
  const headers: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' }
  if (token !== undefined) headers['authorization'] = `Bearer ${token}`
  const response = await fetch(url + path, { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) })
  const text = await response.text()
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
  return (text === '' ? undefined : JSON.parse(text)) as T
}

/** One call beside the page, as that account. */
export const send = (caller: Caller, method: string, path: string, body?: unknown): Promise<void> =>
  call(caller.url, method, path, { token: caller.token, body })

/** Logged in by the form, at that address. */
export async function enterAs(context: BrowserContext, caller: Caller, path = '/'): Promise<Page> {
  const page = await context.newPage()
  await page.goto(caller.url + path)
  await page.getByLabel('Username or email').fill(caller.username)
  await page.getByRole('textbox', { name: 'Password' }).fill('correct horse')
  await page.getByRole('button', { name: 'Log in', exact: true }).click()
  await page.locator('main.chat').waitFor()
  return page
}

/** Of what has the focus: its role's element and its words. */
export const focused = (page: Page): Promise<string> =>
  page.evaluate(() => {
    const element = document.activeElement
    return element ? `${element.tagName.toLowerCase()}: ${element.getAttribute('aria-label') ?? element.textContent?.trim() ?? ''}` : ''
  })
