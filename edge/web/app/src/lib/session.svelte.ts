/**
 * Who is logged in. The refresh token is a cookie that no script can read; the access token is kept in memory alone. Tabs
 * renew when they need to, also at once: the server answers them with the same successor.
 */
import { call, Problem } from './api'

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

  /** A fresh access token. Throws a `Problem`; when the session has ended, everything is closed. */
  renew(): Promise<string> {
    this.#renewing ??= this.#renew().finally(() => (this.#renewing = undefined))
    return this.#renewing
  }

  async #renew(): Promise<string> {
    try {
      this.#open(await call<Opened>('/api/auth/refresh', { method: 'POST' }))
      return this.#token
    } catch (error) {
      if (refused(error)) this.#close(this.phase === 'in' ? 'expired' : undefined)
      throw error
    }
  }

  /** An authorized call; a token that the server no longer takes is renewed once. */
  async call<T>(path: string, options: { method?: string; body?: unknown; signal?: AbortSignal; keepalive?: boolean } = {}): Promise<T> {
    try {
      return await call<T>(path, { ...options, token: await this.token() })
    } catch (error) {
      if (!refused(error) || this.phase !== 'in') throw error
      return call<T>(path, { ...options, token: await this.renew() })
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
    this.user = user
    this.ended = undefined
    this.phase = 'in'
    remember(true)
  }

  #close(why: Ended): void {
    this.#token = ''
    this.#until = 0
    this.user = undefined
    this.ended = why
    this.phase = 'out'
    remember(false)
  }
}

function refused(error: unknown): boolean {
  return error instanceof Problem && error.status === 401
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
