/** Names of people: from the participants of rooms, and asked for when a room does not list them or a while has passed. */
import { SvelteMap } from 'svelte/reactivity'
import type { ConversationInfo, Participant } from '@natter/client'
import { session } from '../lib/session.svelte'
import { t } from '../words'

interface Person {
  username: string
  displayName: string
}

/** Calls for names at once. */
const AT_ONCE = 4
/** No event reports a changed name: whoever is shown again after this long is asked about again. */
const FRESH = 60_000
/** People who wait to be asked about; who does not fit is asked about when shown again. */
const WAITING = 200

export class Directory {
  readonly #people = new SvelteMap<string, Person>()
  /** When each name was learned or asked for. */
  readonly #known = new Map<string, number>()
  /** Participants, and lists of them, stay as they were when they were loaded: their names are news once. */
  readonly #learned = new WeakSet<Participant | readonly Participant[]>()
  #waiting: string[] = []
  #running = 0

  /** `undefined`: it is being asked for. `listed`: what a list has that is not learned yet. */
  name(id: string, listed?: string): string | undefined {
    if (id === session.user?.id) return session.user.displayName
    const person = this.#people.get(id)
    if (person || listed === undefined) this.#ask(id)
    const name = person?.displayName ?? listed
    return name === '' ? t.deletedUser : name
  }

  /** Whether nothing is left of the user but the id. */
  isErased(id: string): boolean {
    return this.#people.get(id)?.username === ''
  }

  username(id: string): string | undefined {
    return this.#people.get(id)?.username
  }

  /** Everyone who is known, to be kept for a start without a connection. */
  get people(): ReadonlyMap<string, Person> {
    return this.#people
  }

  /** Who was kept: asked about all the same when shown. */
  restore(people: ReadonlyMap<string, Person>): void {
    for (const [id, person] of people) this.#people.set(id, person)
  }

  learn(info: ConversationInfo | null): void {
    const list = info?.participants
    if (!list || this.#learned.has(list)) return
    this.#learned.add(list)
    for (const participant of list) {
      if (this.#learned.has(participant)) continue
      this.#learned.add(participant)
      this.#set(participant.userId, participant)
    }
  }

  #set(id: string, { username, displayName }: Person): void {
    this.#known.set(id, performance.now())
    const before = this.#people.get(id)
    if (before?.displayName !== displayName || before.username !== username) this.#people.set(id, { username, displayName })
  }

  #ask(id: string): void {
    const known = this.#known.get(id)
    const isFresh = known !== undefined && performance.now() - known < FRESH
    if (isFresh || id === '' || this.#waiting.length >= WAITING) return
    this.#known.set(id, performance.now())
    this.#waiting.push(id)
    // Not while a view is being made: it would change what the view is made of.
    queueMicrotask(() => this.#pump())
  }

  #pump(): void {
    while (this.#running < AT_ONCE) {
      const id = this.#waiting.shift()
      if (id === undefined) return
      this.#running += 1
      void session
        .call<Person>(`/api/users/${id}`)
        .then(
          (person) => this.#set(id, person),
          // Asked for again when it is needed again.
          () => this.#known.delete(id),
        )
        .finally(() => {
          this.#running -= 1
          this.#pump()
        })
    }
  }
}
