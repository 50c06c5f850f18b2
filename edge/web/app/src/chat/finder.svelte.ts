/** A chat by its name, of all that the user has, or a person to begin one with. */
import type { ConversationState } from '@natter/client'
import { untrack } from 'svelte'
import { matching } from '../lib/matching'
import { explain } from '../lib/problems'
import { route } from '../lib/route.svelte'
import type { User } from '../lib/session.svelte'
import { toasts } from '../lib/toasts.svelte'
import { t } from '../words'
import { peer, title } from './about'
import type { Live } from './live.svelte'
import { openDirect } from './opening'
import { Search } from './search.svelte'

/** Who has more results types another letter. */
const RESULTS = 50

export class Finder {
  readonly search = new Search()
  readonly isOn = $derived(this.search.query.trim() !== '')
  readonly rooms: readonly ConversationState[] = $derived.by(() =>
    this.isOn ? matching(this.live.rooms, this.search.query, (room) => title(room, this.live)).slice(0, RESULTS) : [],
  )
  /** Without those whose conversation is among the rooms already. */
  readonly people: readonly User[] = $derived.by(() => {
    if (!this.isOn) return []
    const listed = new Set(this.rooms.map((room) => peer(room, this.live.me)))
    return this.search.found.filter(({ id }) => !listed.has(id))
  })
  /** More may be found. */
  readonly isBusy = $derived.by(() => this.isOn && (this.search.busy || !this.live.state.list.complete))
  /** The next page of the list, when it is needed and not on its way. */
  readonly #next = $derived.by(() => {
    const { list, loads } = this.live.state
    return this.isOn && list.loaded && !list.complete && !loads.has('list') ? list.cursor : null
  })
  /** The first result is to be opened when it is there. */
  #isWanted = $state(false)

  constructor(readonly live: Live) {
    $effect(() => {
      if (this.#next !== null) live.client.loadMore().catch(() => undefined)
    })
    // Whoever has found something is done with looking for it.
    $effect(() => {
      void route.view
      untrack(() => this.clear())
    })
    $effect(() => {
      if (this.#isWanted && (this.rooms.length > 0 || this.people.length > 0)) untrack(() => this.enter())
    })
  }

  clear(): void {
    this.search.query = ''
    this.#isWanted = false
  }

  /** Another query. */
  typed(): void {
    this.#isWanted = false
  }

  /** The first result, now or when there is one. */
  enter(): void {
    const [room] = this.rooms
    const [person] = this.people
    this.#isWanted = !room && !person
    if (room) route.go(`/c/${room.id}`)
    else if (person) void this.start(person)
  }

  async start(person: User): Promise<void> {
    try {
      route.go(`/c/${await openDirect(person.id)}`)
    } catch (error) {
      toasts.add(explain(error, { forbidden: t.cannotWriteTo }), { tone: 'bad' })
    }
  }
}
