/** Which language is shown. */
import type { Words } from './made/types'

export interface Language {
  load: () => Promise<{ words: Words }>
  name?: string
  rtl?: true
  as?: string
}

/** The pseudo-languages are for tests: what is not from a message file is seen, and what does not mirror. */
export const LANGUAGES: Record<string, Language> = {
  en: { load: () => import('./made/en'), name: 'English' },
  de: { load: () => import('./made/de'), name: 'Deutsch' },
  'en-XA': { load: () => import('./made/pseudo'), as: 'en' },
  'ar-XB': { load: () => import('./made/pseudo'), rtl: true, as: 'en' },
}

export const KEY = 'natter.language'

export const chosen = (): string =>
  remembered() ?? navigator.languages.map((tag) => tag.split('-')[0] ?? '').find((code) => code in LANGUAGES) ?? 'en'

function remembered(): string | undefined {
  try {
    const code = localStorage.getItem(KEY)
    return code !== null && code in LANGUAGES ? code : undefined
  } catch {
    return undefined
  }
}
