/** How conversations are made. */
import { session, type User } from '../lib/session.svelte'
import { t } from '../words'

/** Names have so many characters at most. */
const NAME = 100

const create = async (body: object): Promise<string> => (await session.call<{ id: string }>('/api/conversations', { method: 'POST', body })).id

/** The conversation with one person, which exists once. */
export const openDirect = (user: string): Promise<string> => create({ type: 'direct', participantIds: [user] })

/** A group has a name from the beginning, so that it is called the same whoever comes and goes. */
export function openGroup(users: readonly User[], name: string): Promise<string> {
  return create({ type: 'group', name: name.trim() || nameOf(users), participantIds: users.map(({ id }) => id) })
}

/** By the first people in it, as many as fit. */
export function nameOf(users: readonly Pick<User, 'displayName'>[]): string {
  const names = [session.user?.displayName ?? '', ...users.map(({ displayName }) => displayName)].filter(Boolean)
  for (let count = Math.min(names.length, 3); count > 0; count--) {
    const shown = names.slice(0, count).join(', ')
    const name = count < names.length ? t.namesAndMore({ names: shown, count: names.length - count }) : shown
    if ([...name].length <= NAME) return name
  }
  return t.unnamedRoom
}
