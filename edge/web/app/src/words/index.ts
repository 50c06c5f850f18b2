/** Everything that people read, in their language. Loaded before anything is shown; a change of language reloads the page. */
import { chosen, KEY, LANGUAGES } from './choice'
import type { Words } from './made/types'

export type { Words }

/** Of those that people may choose. */
export const languages = Object.entries(LANGUAGES).flatMap(([code, { name }]) => (name ? [{ code, name }] : []))

export let t: Words
/** For dates and numbers. */
export let language = 'en'

export async function load(): Promise<void> {
  const code = chosen()
  const entry = LANGUAGES[code] ?? LANGUAGES['en']!
  t = (await entry.load()).words
  language = entry.as ?? code
  document.documentElement.lang = code
  document.documentElement.dir = entry.rtl ? 'rtl' : 'ltr'
}

export function choose(code: string): void {
  try {
    localStorage.setItem(KEY, code)
  } catch {
    // Without storage the browser's language is used.
  }
  location.reload()
}
