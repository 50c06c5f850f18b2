/** The client of the socket, as state that views follow. One for the life of a session. */
import { conversationList, type ConversationState, type NatterClient, Refused, type State, totalUnread } from '@natter/client'
import { SvelteSet } from 'svelte/reactivity'
import { type Preview, takePreview } from '../early'
import { Problem } from '../lib/api'
import { build } from '../lib/build.svelte'
import { Pace } from '../lib/pace'
import { session } from '../lib/session.svelte'
import { Blocked } from './blocked.svelte'
import { Directory } from './directory.svelte'
import { Online } from './online.svelte'
import { withPreview } from './preview'

/** A page that was hidden for so long may have been frozen. */
const ASLEEP = 10_000
/**
 * One frame in three: a message, that it was read and what that changes are shown in one go. What is over within that time
 * is not seen: who has to know of it subscribes to the client.
 */
const SHOWN = 50

export class Live {
  #state: State
  /** That of the client from which it was made. */
  #source: State
  readonly directory = new Directory()
  readonly online = new Online()
  readonly blocked = new Blocked()
  /** Messages that were deleted here, and those that are deleted unless it is undone, by id. */
  readonly hidden = new SvelteSet<string>()
  readonly #stop = new AbortController()
  #hiddenAt = 0
  #wasLive = false
  #connections = 0
  /** Shown until the client has its own state. */
  #preview: Preview | undefined

  constructor(readonly client: NatterClient) {
    this.#state = $state.raw(client.state)
    this.#source = client.state
    const pace = new Pace(() => this.#show(), SHOWN)
    const end = client.subscribe(() => {
      pace.ask()
      const { connection } = client.state
      this.#watchBuild(connection.phase)
      if (connection.phase === 'stopped' && connection.reason === 'sessionEnded') session.revoked()
    })
    const { signal } = this.#stop
    signal.addEventListener('abort', end)
    signal.addEventListener('abort', () => pace.end())
    addEventListener('online', () => client.setOnline(true), { signal })
    addEventListener('offline', () => client.setOnline(false), { signal })
    document.addEventListener('visibilitychange', () => this.#seen(), { signal })
    document.addEventListener('resume', () => client.wake(), { signal })
    addEventListener('pageshow', ({ persisted }) => persisted && client.wake(), { signal })
    void client.start()
    void takePreview().then((preview) => {
      if (preview?.user !== this.me || this.#stop.signal.aborted) return
      this.#preview = preview
      this.#show()
    })
    if (!navigator.onLine) client.setOnline(false)
  }

  #show(): void {
    const { state } = this.client
    this.#source = state
    this.#state = this.#preview ? withPreview(state, this.#preview) : state
    // It does not come back: the list is there, and so is the room.
    if (state.list.loaded && this.#state === state) this.#preview = undefined
  }

  get state(): State {
    return this.#state
  }

  /** What is shown of this room is not what the client has of it: nothing is loaded, and nothing read, on its account. */
  isPreview(id: string): boolean {
    return this.#state.conversations.get(id) !== this.#source.conversations.get(id)
  }

  get me(): string {
    return session.user?.id ?? ''
  }

  /** By activity, newest first; a room of which nothing but events is known is not listed yet. */
  get rooms(): readonly ConversationState[] {
    return conversationList(this.state)
  }

  get unread(): number {
    return totalUnread(this.state)
  }

  room(id: string): ConversationState | undefined {
    return this.state.conversations.get(id)
  }

  /** A server that was away may come back as another build. */
  #watchBuild(phase: State['connection']['phase']): void {
    if (phase !== 'live' || this.#wasLive) {
      this.#wasLive &&= phase === 'live'
      return
    }
    this.#wasLive = true
    if (this.#connections++ === 0) return
    this.blocked.outdated()
    void build.look()
  }

  #seen(): void {
    if (document.hidden) this.#hiddenAt = performance.now()
    else if (performance.now() - this.#hiddenAt > ASLEEP) this.client.wake()
  }

  /** Settles when nothing of it is on its way into storage any more. */
  end(): Promise<void> {
    this.#stop.abort()
    this.online.end()
    this.blocked.end()
    return this.client.close()
  }
}

/** What a refused command means, as any other refusal. */
export function problem(error: unknown): unknown {
  if (!(error instanceof Refused)) return error
  return new Problem(error.code === 'disconnected' ? 'offline' : error.code, 0, error.code, error.retryAfterMs ?? undefined, [])
}

let current: Live | undefined

/** That of the session: views below the chat exist only while there is one. */
export function live(): Live {
  if (!current) throw new Error('no session is open')
  return current
}

export function use(made: Live | undefined): void {
  current = made
}
