/** Names of people, for when they cannot be asked for; wiped with everything else of an account (lib/traces.ts). */

export interface Person {
  username: string
  displayName: string
}

const KEY = 'natter.names'
/** Of people who were not seen for long the oldest go. */
const MOST = 500
/** Milliseconds in which changes are gathered. */
const SOON = 1_000

export function storedNames(): Map<string, Person> {
  try {
    return new Map(JSON.parse(localStorage.getItem(KEY) ?? '[]') as [string, Person][])
  } catch {
    return new Map()
  }
}

let timer: ReturnType<typeof setTimeout> | undefined

export function keepNames(people: readonly (readonly [string, Person])[]): void {
  clearTimeout(timer)
  timer = setTimeout(() => {
    try {
      localStorage.setItem(KEY, JSON.stringify(people.slice(-MOST).map(([id, { username, displayName }]) => [id, { username, displayName }])))
    } catch {
      // They are asked for.
    }
  }, SOON)
}

/** Nothing is written after the end of the session. */
export function forgetNames(): void {
  clearTimeout(timer)
}
