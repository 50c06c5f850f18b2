/** Everything that people read, in their language. Loaded before anything is shown; a change of language reloads the page. */
import type { Words } from './made/types'

export type { Words }

/** The pseudo-languages are for tests: what is not from a message file is seen, and what does not mirror. */
const LANGUAGES: Record<string, { load: () => Promise<{ words: Words }>; name?: string; rtl?: true; as?: string }> = {
  en: { load: () => import('./made/en'), name: 'English' },
  de: { load: () => import('./made/de'), name: 'Deutsch' },
  'en-XA': { load: () => import('./made/pseudo'), as: 'en' },
  'ar-XB': { load: () => import('./made/pseudo'), rtl: true, as: 'en' },
}

const KEY = 'natter.language'

/** Of those that people may choose. */
export const languages = Object.entries(LANGUAGES).flatMap(([code, { name }]) => (name ? [{ code, name }] : []))

export let t: Words
/** For dates and numbers. */
export let language = 'en'

export async function load(): Promise<void> {
  const chosen = remembered() ?? navigator.languages.map((tag) => tag.split('-')[0] ?? '').find((code) => code in LANGUAGES) ?? 'en'
  const entry = LANGUAGES[chosen] ?? LANGUAGES['en']!
  t = (await entry.load()).words
  language = entry.as ?? chosen
  document.documentElement.lang = chosen
  document.documentElement.dir = entry.rtl ? 'rtl' : 'ltr'
}

function remembered(): string | undefined {
  try {
    const code = localStorage.getItem(KEY)
    return code !== null && code in LANGUAGES ? code : undefined
  } catch {
    return undefined
  }
}

export function choose(code: string): void {
  try {
    localStorage.setItem(KEY, code)
  } catch {
    // Without storage the browser's language is used.
  }
  location.reload()
}
