/** The length of a text as the server counts it: in bytes of UTF-8. */
import { graphemes } from './graphemes'

const encoder = new TextEncoder()
/** Beyond that the exact number of what readers call a character says nothing more. */
const EXACT = 2_000

export interface Space {
  /** Bytes that are still free, and so many characters at most; a rough number below half of the limit. */
  left: number
  /** Characters at the end that do not fit. */
  over: number
}

export function space(text: string, limit: number): Space {
  // No character has more than three bytes for each of its units: far below the limit the exact number is no one's need.
  if (text.length * 3 <= limit / 2) return { left: limit - text.length, over: 0 }
  const { read, written } = encoder.encodeInto(text, new Uint8Array(limit))
  if (read === text.length) return { left: limit - written, over: 0 }
  const rest = text.slice(read)
  return { left: 0, over: rest.length > EXACT ? rest.length : [...graphemes.segment(rest)].length }
}
