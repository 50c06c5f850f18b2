/** The emoji of the picker, with the words by which they are found: a file for each language, loaded with the picker. */

export interface Emoji {
  emoji: string
  name: string
  /** Its name, and other words for it. */
  words: string
}

const FILES: Record<string, () => Promise<{ default: Record<string, string> }>> = {
  en: () => import('../../words/emoji.en.json'),
  de: () => import('../../words/emoji.de.json'),
}

export async function emoji(language: string): Promise<Emoji[]> {
  const { default: names } = await (FILES[language] ?? FILES['en']!)()
  return Object.entries(names).map(([emoji, words]) => ({ emoji, name: words.split(',')[0]!, words }))
}
