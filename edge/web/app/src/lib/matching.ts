/** Finding by words, without regard to case, accents and form. */

/** Folding is dear, and the same texts are looked at with every key. */
const folded = new Map<string, string>()
const KEPT = 25_000

export function fold(text: string): string {
  const known = folded.get(text)
  if (known !== undefined) return known
  const made = text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase()
  if (folded.size >= KEPT) folded.clear()
  folded.set(text, made)
  return made
}

/** Those whose text has every word of the query, in their order. */
export function matching<T>(items: readonly T[], query: string, textOf: (item: T) => string): readonly T[] {
  const words = fold(query).split(/\s+/).filter(Boolean)
  if (words.length === 0) return items
  return items.filter((item) => {
    const text = fold(textOf(item))
    return words.every((word) => text.includes(word))
  })
}
