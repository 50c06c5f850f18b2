/**
 * What the first view needs of the server, requested by the first script of the page, while the others are on their way:
 * the renewal of the session and then, unless this device has a copy, the list of rooms and the room of the address.
 * Each response is taken once, by the part of the client that would otherwise have requested it.
 */
import type { Conversation, MessagePage, Page } from '@natter/client'

/** Who the cookie is of: without it nothing is asked before the log-in page is shown. */
export const HINT = 'natter.session'
/** Databases of the client library, one for each user (chat/client.ts). */
export const DATABASE = 'natter.'
/** A server that does not answer within this time is taken for unreachable; milliseconds. */
export const ANSWERS_WITHIN = 15_000
/** The log-in page waits for it; milliseconds. */
const OPTIONS_WITHIN = 3_000
/** As many messages, and rooms, as the tallest window shows without scrolling, or nearly so. */
const PAGE = 20

/** State from before the socket was open: it is shown, and nothing else. */
export interface Preview {
  user: string
  rooms: readonly Conversation[]
  /** The room of the address, and its newest page. */
  room: Conversation | undefined
  page: MessagePage | undefined
}

/** How people log in to this server. */
export interface LogInOptions {
  passwords: boolean
  provider: { name: string } | null
  /** A server of before does not say it. */
  mail?: boolean
}

let renewal: Promise<Response> | undefined
let options: Promise<LogInOptions> | undefined
let preview: Promise<Preview | undefined> | undefined

/** What is known of the person who was logged in last; `true`: there may be one; `undefined`: there is none. */
export function remembered<T extends { id: string }>(): T | true | undefined {
  try {
    const text = localStorage.getItem(HINT)
    if (text === null) return undefined
    const user = JSON.parse(text) as T
    return typeof user.id === 'string' ? user : true
  } catch {
    // Storage is blocked, but the cookie may be there.
    return true
  }
}

/** Sends the requests. Returns whether there may be a session. */
export function ask(): boolean {
  const user = remembered()
  if (user === undefined) {
    options = logInOptions()
    return false
  }
  renewal = fetch('/api/auth/refresh', { method: 'POST', credentials: 'same-origin', signal: AbortSignal.timeout(ANSWERS_WITHIN) })
  // A failure is shown by the session, which takes the renewal.
  preview = read(renewal, user === true ? undefined : hasCopy(user.id)).catch(() => undefined)
  return true
}

/** Of a server that does not say it: by password, as every server can. */
async function logInOptions(): Promise<LogInOptions> {
  const signal = AbortSignal.timeout(OPTIONS_WITHIN)
  const asked = fetch('/api/auth/options', { signal }).then((answer) => (answer.ok ? (answer.json() as Promise<LogInOptions>) : undefined))
  return (await asked.catch(() => undefined)) ?? { passwords: true, provider: null }
}

export function takeOptions(): Promise<LogInOptions> {
  const taken = options ?? logInOptions()
  options = undefined
  return taken
}

export function takeRenewal(): Promise<Response> | undefined {
  const taken = renewal
  renewal = undefined
  return taken
}

export function takePreview(): Promise<Preview | undefined> {
  const taken = preview
  preview = undefined
  return taken ?? Promise.resolve(undefined)
}

async function read(renewed: Promise<Response>, copy: Promise<boolean> | undefined): Promise<Preview | undefined> {
  const response = await renewed
  // The session reads the original.
  const { token, user } = (await response.clone().json()) as { token: string; user: { id: string } }
  if (!response.ok || (await copy)) return undefined
  const get = async <T>(path: string): Promise<T | undefined> => {
    const answer = await fetch(path, { headers: { authorization: `Bearer ${token}` }, signal: AbortSignal.timeout(ANSWERS_WITHIN) })
    return answer.ok ? ((await answer.json()) as T) : undefined
  }
  const id = /^\/c\/([\w-]+)/.exec(location.pathname)?.[1]
  const [page, room, list] = await Promise.all([
    id === undefined ? undefined : get<MessagePage>(`/api/messages?conversationId=${id}&limit=${PAGE}`),
    id === undefined ? undefined : get<Conversation>(`/api/conversations/${id}`),
    get<Page<Conversation>>(`/api/conversations?limit=${PAGE}`),
  ])
  return list && { user: user.id, rooms: list.items, room, page }
}

/** A stored copy is shown sooner than any response. */
async function hasCopy(user: string): Promise<boolean> {
  const known = await indexedDB.databases().catch(() => [])
  return known.some(({ name }) => name === DATABASE + user)
}
