/**
 * Who is logged in. The refresh token is a cookie that no script can read; the access token is kept in memory alone. Tabs
 * renew when they need to, also at once: the server answers them with the same successor.
 */
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

export type Ended = 'expired' | 'elsewhere' | undefined

/** Renewed this long before it ends, so that no call starts with a token that ends on its way. */
const MARGIN = 30_000
/** Says that there may be a cookie: without it nothing is asked before the log-in page is shown. */
const HINT = 'natter.session'

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
  #tabs = new BroadcastChannel('natter.session')

  constructor() {
    this.#tabs.onmessage = ({ data }: MessageEvent<'in' | 'out'>) => {
      if (data === 'out' && this.phase === 'in') this.#close('elsewhere')
      if (data === 'in' && this.phase === 'out') void this.resume()
    }
  }

  /** Takes up the session of the cookie, if there is one. */
  async resume(): Promise<void> {
    if (!remembered()) {
      this.phase = 'out'
      return
    }
    try {
      await this.renew()
    } catch (error) {
      if (this.phase === 'checking') this.phase = refused(error) ? 'out' : 'unreachable'
    }
  }

  async logIn(login: string, password: string): Promise<void> {
    this.#open(await call<Opened>('/api/auth/login', { method: 'POST', body: { login, password } }))
    this.#tabs.postMessage('in')
  }

  async register(account: { username: string; email: string; password: string; displayName?: string }): Promise<void> {
    this.#open(await call<Opened>('/api/auth/register', { method: 'POST', body: account }))
    this.#tabs.postMessage('in')
  }

  /** Here and in every tab; without the server the cookie stays, and the hint goes. */
  async logOut({ everywhere = false } = {}): Promise<void> {
    try {
      const path = everywhere ? '/api/auth/logout-all' : '/api/auth/logout'
      await call(path, { method: 'POST', token: await this.token() })
    } finally {
      this.#tabs.postMessage('out')
      this.#close(undefined)
    }
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
      this.#open(await call<Opened>('/api/auth/refresh', { method: 'POST' }))
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
    remember(true)
  }

  #close(why: Ended): void {
    this.#token = ''
    this.#until = 0
    // What was open is of no interest to who logs in next, unless it is the same person after a pause.
    if (this.phase === 'in' && why !== 'expired') route.go('/', { replace: true })
    this.user = undefined
    this.ended = why
    this.phase = 'out'
    remember(false)
  }
}

/** About the session, not about what was asked: a wrong password is answered with 401 as well. */
const OF_SESSIONS = new Set(['unauthenticated', 'token_expired', 'session_revoked'])

function refused(error: unknown): error is Problem {
  return error instanceof Problem && OF_SESSIONS.has(error.code)
}

function remembered(): boolean {
  try {
    return localStorage.getItem(HINT) !== null
  } catch {
    // Storage is forbidden: the cookie may be there all the same.
    return true
  }
}

function remember(open: boolean): void {
  try {
    if (open) localStorage.setItem(HINT, '1')
    else localStorage.removeItem(HINT)
  } catch {
    // As above: the server is asked at each start.
  }
}

export const session = new Session()
