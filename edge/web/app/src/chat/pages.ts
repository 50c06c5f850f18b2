/** Pages of the history, loaded before the reader comes to them. */
import type { ConversationState, State } from '@natter/client'
import type { Live } from './live.svelte'
import type { Place } from './place.svelte'
import type { Row } from './rows'

/** So far ahead, in pixels. */
const AHEAD = 1_200

interface Page {
  before: number | null
  after: number | null
}

export type Seam = Extract<Row, { kind: 'seam' }>

/** How far the load of a page has come; nothing: it was not asked for, or it is there. */
export function loadOf({ loads }: State, room: string, { before, after }: Page): 'wanted' | 'running' | 'failed' | undefined {
  for (const { what, status } of loads.values()) {
    if (what.kind === 'page' && what.conversationId === room && what.before === before && what.after === after) return status
  }
  return undefined
}

/** What a seam lacks at its lower and at its upper end. */
export const pagesOf = ({ before, after }: Seam): Page[] => [{ before, after: null }, ...(after > 0 ? [{ before: null, after }] : [])]

export async function load(live: Live, room: string, { before, after }: Page): Promise<void> {
  if (before !== null) await live.client.loadOlder(room, before)
  else if (after !== null) await live.client.loadNewer(room, after)
}

/** From the side from which the reader comes. What was refused is asked for again by the reader only. */
export function loadNear(live: Live, room: ConversationState, rows: readonly Row[], place: Place): void {
  rows.forEach((row, index) => {
    if (row.kind !== 'seam') return
    const distance = place.distance(index)
    if (Math.abs(distance) > AHEAD) return
    const pages = pagesOf(row)
    // What was asked for just now is not shown yet.
    const { state } = live.client
    if (pages.some((page) => loadOf(state, room.id, page) === 'failed')) return
    const [older, newer] = pages
    const isFromBelow = distance < 0 || (distance === 0 && place.isGoingUp)
    const page = isFromBelow || !newer ? older! : newer
    if (loadOf(state, room.id, page) === undefined) void load(live, room.id, page).catch(() => undefined)
  })
}
