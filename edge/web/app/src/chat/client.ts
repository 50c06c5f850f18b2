/** The client of this session, with the surroundings of a browser. */
import { ApiError, type Auth, browserTabs, canShareTabs, NatterClient, randomText, singleTab, systemClock, webSockets } from '@natter/client'
import { indexedDbStorage } from '@natter/client/storage'
import { DATABASE } from '../early'
import { Problem } from '../lib/api'
import { session } from '../lib/session.svelte'
import { Live } from './live.svelte'

/** Where the copies and the outbox of one user are. */
const database = (user: string): string => DATABASE + user

const auth: Auth = {
  async renew() {
    try {
      return { token: await session.token(), expiresInMs: session.left }
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      const code = error.code === 'offline' ? 'unavailable' : error.code
      throw new ApiError(code, error.status, error.retryAfter ?? null, null)
    }
  },
}

export function start(): Live {
  const user = session.user?.id ?? ''
  const name = database(user)
  const client = new NatterClient({
    base: location.origin,
    auth,
    ports: {
      openSocket: webSockets((url, protocol) => new WebSocket(url, protocol)),
      fetch: (...call) => fetch(...call),
      clock: systemClock(),
      random: Math.random,
      unique: randomText,
      storage: indexedDbStorage(name),
      tabs: canShareTabs() ? browserTabs(name) : singleTab(),
    },
  })
  return new Live(client)
}
