/** Letters in the sense of readers: an emoji or a letter with its marks is one. Made once: to make one is slow. */
export const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' })
