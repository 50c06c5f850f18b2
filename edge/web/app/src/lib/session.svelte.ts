/**
 * Who is logged in. The refresh token is a cookie that no script can read; the access token is kept in memory alone. Tabs
 * renew when they need to, also at once: the server answers them with the same successor.
 */
import { ANSWERS_WITHIN, HINT, remembered, takeRenewal } from '../early'
import { call, Problem } from './api'
import { route } from './route.svelte'

export interface User {
  id: string
  username: string
  displayName: string
  email?: string
  createdAt: string
}

interface Opened {
  user: User
  sessionId: string
  token: string
  expiresIn: number
}

export type Ended = 'expired' | 'elsewhere' | 'erased' | undefined

/** Renewed this long before it ends, so that no call starts with a token that ends on its way. */
const MARGIN = 30_000
/** A log-out that the server does not know of yet: the address that is to be called. */
const LEAVING = 'natter.leaving'
const LEAVES_WITHIN = 5_000

class Session {
  user = $state<User>()
  phase = $state<'checking' | 'out' | 'in' | 'unreachable'>('checking')
  /** Why it ended, if not by choice. */
  ended = $state<Ended>()
  sessionId = ''
  #token = ''
  /** Of this page's monotonic clock: a wall clock that is set changes nothing. */
  #until = 0
  #renewing: Promise<string> | undefined
  /** Who was logged in last: another person begins at the beginning. */
  #last: string | undefined
  #leaving: Promise<void> | undefined
  /** The account is being erased: that ends the session, whatever says so first. */
  #erasing = false
  #tabs = new BroadcastChannel('natter.session')

  constructor() {
    this.#tabs.onmessage = ({ data }: MessageEvent<'in' | 'out'>) => {
      if (data === 'out' && this.phase === 'in') this.#close('elsewhere')
      if (data === 'in' && this.phase === 'out') void this.resume()
    }
    addEventListener('online', () => this.#notifyServer())
  }

  /** Takes up the session of the cookie, if there is one: what is stored is shown before the server has answered. */
  async resume(): Promise<void> {
    const known = remembered<User>()
    if (known === undefined) {
      this.phase = 'out'
      this.#notifyServer()
      return
    }
    if (typeof known === 'object') {
      this.user = known
      this.#last = known.id
      this.phase = 'in'
    }
    try {
      await this.renew()
    } catch (error) {
      if (this.phase === 'checking') this.phase = refused(error) ? 'out' : 'unreachable'
    }
  }

  async logIn(login: string, password: string): Promise<void> {
    await this.#leaving
    this.#open(await call<Opened>('/api/auth/login', { method: 'POST', body: { login, password } }))
    this.#tabs.postMessage('in')
  }

  /** The browser goes to another page to log in: it comes back to a new page, and may have the cookie then. */
  leaveToLogIn(): void {
    store(HINT, 'true')
  }

  async register(account: { username: string; email: string; password: string; displayName?: string }): Promise<void> {
    await this.#leaving
    this.#open(await call<Opened>('/api/auth/register', { method: 'POST', body: account }))
    this.#tabs.postMessage('in')
  }

  /** Here and in every tab; a server that cannot be reached now gets it later. */
  async logOut({ everywhere = false } = {}): Promise<void> {
    const path = everywhere ? '/api/auth/logout-all' : '/api/auth/logout'
    try {
      const token = await Promise.race([this.token(), noAnswer(LEAVES_WITHIN)])
      await call(path, { method: 'POST', token, signal: AbortSignal.timeout(LEAVES_WITHIN) })
    } catch (error) {
      if (!(error instanceof Problem) || error.code !== 'offline') throw error
      store(LEAVING, path)
    } finally {
      this.#tabs.postMessage('out')
      this.#close(undefined)
    }
  }

  /** Erases the account, and ends every session with it. Without a password: by a log-in of a moment ago. */
  async erase(password: string | undefined): Promise<void> {
    this.#erasing = true
    try {
      await this.call('/api/me', { method: 'DELETE', body: { password } })
      this.#tabs.postMessage('out')
      this.#close('erased')
    } finally {
      this.#erasing = false
    }
  }

  /** Ends a session that was left without a connection, before another one takes its cookie. */
  #notifyServer(): void {
    const path = stored(LEAVING)
    if (path === null || this.phase === 'in' || this.#leaving) return
    this.#leaving = leave(path).finally(() => (this.#leaving = undefined))
  }

  /** An access token that is good for now. */
  async token(): Promise<string> {
    return performance.now() < this.#until - MARGIN ? this.#token : this.renew()
  }

  /** Milliseconds for which the token is good. */
  get left(): number {
    return Math.max(0, this.#until - performance.now())
  }

  /**
   * A fresh access token. Throws a `Problem`; when the session has ended, everything is closed. `why`: what it means
   * that the session cannot be renewed.
   */
  renew(why: Ended = 'expired'): Promise<string> {
    this.#renewing ??= this.#renew(why).finally(() => (this.#renewing = undefined))
    return this.#renewing
  }

  async #renew(why: Ended): Promise<string> {
    try {
      this.#open(await call<Opened>('/api/auth/refresh', { method: 'POST', signal: AbortSignal.timeout(ANSWERS_WITHIN), asked: takeRenewal() }))
      return this.#token
    } catch (error) {
      if (refused(error)) this.#close(this.phase === 'in' ? why : undefined)
      throw error
    }
  }

  /** An authorized call; a token that the server no longer takes is renewed once. */
  async call<T>(path: string, options: { method?: string; body?: unknown; signal?: AbortSignal; keepalive?: boolean } = {}): Promise<T> {
    const token = await this.token()
    try {
      return await call<T>(path, { ...options, token })
    } catch (error) {
      if (!refused(error) || this.phase !== 'in') throw error
      // A token that is not old enough to have expired is refused because its session was ended.
      const why = error.code === 'token_expired' ? 'expired' : 'elsewhere'
      return call<T>(path, { ...options, token: await this.renew(why) })
    }
  }

  /** The server has ended this session. */
  revoked(): void {
    this.#close('elsewhere')
  }

  #open({ user, sessionId, token, expiresIn }: Opened): void {
    this.#token = token
    this.#until = performance.now() + expiresIn * 1000
    this.sessionId = sessionId
    if (this.#last !== undefined && this.#last !== user.id) route.go('/', { replace: true })
    this.#last = user.id
    this.user = user
    this.ended = undefined
    this.phase = 'in'
    // A new one takes the place of one that was left.
    store(LEAVING, null)
    const { id, username, displayName, createdAt } = user
    store(HINT, JSON.stringify({ id, username, displayName, createdAt }))
  }

  #close(why: Ended): void {
    this.#token = ''
    this.#until = 0
    // What was open is of no interest to who logs in next, unless it is the same person after a pause.
    if (this.phase === 'in' && why !== 'expired') route.go('/', { replace: true })
    this.user = undefined
    // The first reason stands: a renewal that was under way is refused because of it.
    if (this.phase !== 'out') this.ended = this.#erasing ? 'erased' : why
    this.phase = 'out'
    store(HINT, null)
  }
}

/** About the session, not about what was asked: a wrong password is answered with 401 as well. */
const OF_SESSIONS = new Set(['unauthenticated', 'token_expired', 'session_revoked'])

function refused(error: unknown): error is Problem {
  return error instanceof Problem && OF_SESSIONS.has(error.code)
}

function stored(key: string): string | null {
  try {
    return localStorage.getItem(key)
  } catch {
    return null
  }
}

function store(key: string, text: string | null): void {
  try {
    if (text === null) localStorage.removeItem(key)
    else localStorage.setItem(key, text)
  } catch {
    // As above: the server is asked at each start.
  }
}

const noAnswer = (within: number): Promise<never> =>
  new Promise((_, reject) => setTimeout(() => reject(new Problem('offline', 0, 'no answer', undefined, [])), within))

async function leave(path: string): Promise<void> {
  try {
    const { token } = await call<Opened>('/api/auth/refresh', { method: 'POST', signal: AbortSignal.timeout(ANSWERS_WITHIN) })
    await call(path, { method: 'POST', token, signal: AbortSignal.timeout(ANSWERS_WITHIN) })
  } catch (error) {
    // Only an answer about the session means that there is nothing to end any more.
    if (!refused(error)) return
  }
  store(LEAVING, null)
}

export const session = new Session()
