/** Names of people: from the participants of rooms, and asked for when a room does not list them. */
import { SvelteMap } from 'svelte/reactivity'
import type { ConversationInfo } from '@natter/client'
import { session } from '../lib/session.svelte'

interface Person {
  username: string
  displayName: string
}

/** Calls for names at once. */
const AT_ONCE = 4

export class Directory {
  readonly #people = new SvelteMap<string, Person>()
  readonly #asked = new Set<string>()
  #waiting: string[] = []
  #running = 0

  /** `undefined`: it is being asked for. */
  name(id: string): string | undefined {
    if (id === session.user?.id) return session.user.displayName
    const person = this.#people.get(id)
    if (person) return person.displayName
    this.#ask(id)
    return undefined
  }

  username(id: string): string | undefined {
    return this.#people.get(id)?.username
  }

  learn(info: ConversationInfo | null): void {
    for (const { userId, username, displayName } of info?.participants ?? []) {
      if (this.#people.get(userId)?.displayName !== displayName) this.#people.set(userId, { username, displayName })
    }
  }

  #ask(id: string): void {
    if (this.#asked.has(id) || id === '') return
    this.#asked.add(id)
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
          ({ username, displayName }) => this.#people.set(id, { username, displayName }),
          // Asked for again when it is needed again.
          () => this.#asked.delete(id),
        )
        .finally(() => {
          this.#running -= 1
          this.#pump()
        })
    }
  }
}
