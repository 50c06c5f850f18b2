/** Finding by the beginnings of words, without regard to case, accents and form: the rule of the server's search for people. */

/** Marks that letters of any script can have; vowel signs and the like make other words. */
const ACCENT = /(?![\u034F\u064B-\u0652\u0670\u3099\u309A\uFE00-\uFE0F])(?=\p{Mn})\p{Script=Inherited}/gu
const BETWEEN_WORDS = /[^\p{Alphabetic}\p{N}\p{M}]+/u
/** Of a text as many words, and of a word as many characters, as the server looks at. */
const WORDS = 16
const LETTERS = 32

/** Folding is dear, and the same texts are looked at with every key. */
const folded = new Map<string, readonly string[]>()
const KEPT = 25_000

function wordsOf(text: string): readonly string[] {
  const known = folded.get(text)
  if (known !== undefined) return known
  // Upper case first: ß and ss are the same then.
  const plain = text.normalize('NFKD').replace(ACCENT, '').toUpperCase().toLowerCase()
  const made = plain.split(BETWEEN_WORDS).filter(Boolean).slice(0, WORDS).map((word) => [...word].slice(0, LETTERS).join(''))
  if (folded.size >= KEPT) folded.clear()
  folded.set(text, made)
  return made
}

/** Those that have, for every word of the query, one that begins with it, in their order. All, if nothing is asked for. */
export function matching<T>(items: readonly T[], query: string, textOf: (item: T) => string): readonly T[] {
  if (query.trim() === '') return items
  const begun = wordsOf(query)
  if (begun.length === 0) return []
  return items.filter((item) => {
    const words = wordsOf(textOf(item))
    return begun.every((start) => words.some((word) => word.startsWith(start)))
  })
}
