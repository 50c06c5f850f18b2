/**
 * Markdown-lite as a typed tree: bold, italics, code, links, quotes. A message never becomes markup as text, so nothing in
 * it can be more than these. Linear in the length of the message, whatever it contains.
 */
import { graphemes } from './graphemes'

export type Inline =
  | { kind: 'text'; text: string }
  | { kind: 'bold' | 'italic' | 'strike'; children: Inline[] }
  | { kind: 'code'; text: string }
  | { kind: 'link'; href: string; text: string }

export type Block =
  | { kind: 'paragraph'; children: Inline[] }
  | { kind: 'quote'; children: Inline[] }
  | { kind: 'code'; text: string }

const FENCE = '```'

export function parse(source: string): Block[] {
  const blocks: Block[] = []
  const lines = source.split('\n')
  let text: string[] = []
  let quoted = false
  const flush = () => {
    const joined = text.join('\n').replace(/^\n+|\n+$/g, '')
    if (joined !== '') blocks.push({ kind: quoted ? 'quote' : 'paragraph', children: inline(joined) })
    text = []
  }
  // Past the last closing fence no opening one is looked for again.
  let closing = lines.findLastIndex((line) => line.trimEnd().endsWith(FENCE))
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at]!
    if (at < closing && line.startsWith(FENCE)) {
      let end = at + 1
      while (end < lines.length && lines[end]!.trimEnd() !== FENCE) end += 1
      if (end < lines.length) {
        flush()
        const first = line.slice(FENCE.length)
        // A word beside the fence names a language; more is code.
        const head = /^[\w+#.-]*$/.test(first.trim()) ? [] : [first]
        blocks.push({ kind: 'code', text: [...head, ...lines.slice(at + 1, end)].join('\n') })
        at = end
        continue
      }
      closing = -1
    }
    const isQuote = /^> ?/.test(line)
    if (isQuote !== quoted) {
      flush()
      quoted = isQuote
    }
    text.push(isQuote ? line.replace(/^> ?/, '') : line)
  }
  flush()
  return blocks
}

/** Where a mark may begin or end: not inside of a word, so that snake_case and 2*3*4 stay as they are. */
const isWord = (letter: string | undefined): boolean => letter !== undefined && /[\p{L}\p{N}]/u.test(letter)
const isSpace = (letter: string | undefined): boolean => letter === undefined || /\s/.test(letter)

const MARKS: readonly { mark: string; kind: 'bold' | 'italic' | 'strike' }[] = [
  { mark: '**', kind: 'bold' },
  { mark: '__', kind: 'bold' },
  { mark: '~~', kind: 'strike' },
  { mark: '*', kind: 'italic' },
  { mark: '_', kind: 'italic' },
]

/** What begins neither a mark nor a link. */
const PLAIN = /[^`*_~h]+/y
const LINK = /https?:\/\/[^\s<>"'`]+/y

interface Open {
  mark: string
  kind: 'bold' | 'italic' | 'strike'
  children: Inline[]
}

/** One pass with a stack: an opening mark that is never closed becomes the text that it was. */
export function inline(source: string): Inline[] {
  const root: Inline[] = []
  const stack: Open[] = []
  const here = () => stack.at(-1)?.children ?? root
  const say = (text: string) => {
    const children = here()
    const last = children.at(-1)
    if (last?.kind === 'text') last.text += text
    else children.push({ kind: 'text', text })
  }
  const unopen = (down: number) => {
    while (stack.length > down) {
      const { mark, children } = stack.pop()!
      say(mark)
      for (const child of children) {
        if (child.kind === 'text') say(child.text)
        else here().push(child)
      }
    }
  }
  for (let at = 0; at < source.length; ) {
    const letter = source[at]!
    if (letter === '`') {
      const end = source.indexOf('`', at + 1)
      if (end > at + 1) {
        here().push({ kind: 'code', text: source.slice(at + 1, end) })
        at = end + 1
        continue
      }
    }
    if (letter === 'h' && !isWord(source[at - 1])) {
      const found = link(source, at)
      if (found) {
        here().push(found)
        at += found.text.length
        continue
      }
    }
    const found = '*_~'.includes(letter) ? MARKS.find(({ mark }) => source.startsWith(mark, at)) : undefined
    if (found) {
      const { mark, kind } = found
      const [before, after] = [source[at - 1], source[at + mark.length]]
      const open = stack.findLastIndex((entry) => entry.mark === mark)
      if (open >= 0 && !isSpace(before) && !isWord(after)) {
        unopen(open + 1)
        const { children } = stack.pop()!
        // `****` marks nothing.
        if (children.length > 0) here().push({ kind, children })
        else say(mark + mark)
      } else if (open < 0 && !isSpace(after) && !isWord(before)) {
        stack.push({ mark, kind, children: [] })
      } else {
        say(mark)
      }
      at += mark.length
      continue
    }
    PLAIN.lastIndex = at
    const run = PLAIN.exec(source)?.[0] ?? letter
    say(run)
    at += run.length
  }
  unopen(0)
  return root
}

/** What ends a sentence is not part of a link; a bracket is if it was opened in it. */
function link(source: string, at: number): Extract<Inline, { kind: 'link' }> | undefined {
  LINK.lastIndex = at
  const whole = LINK.exec(source)?.[0]
  if (whole === undefined) return undefined
  let end = whole.length
  let unopened = whole.split(')').length - whole.split('(').length
  for (; /[.,:;!?)\]*_~…]/.test(whole[end - 1]!); end -= 1) {
    if (whole[end - 1] !== ')') continue
    if (unopened <= 0) break
    unopened -= 1
  }
  const text = whole.slice(0, end)
  const url = URL.parse?.(text) ?? (URL.canParse(text) ? new URL(text) : null)
  // Only what the server of a page can be: no script, no data.
  return url && /^https?:$/.test(url.protocol) && url.hostname ? { kind: 'link', href: url.href, text } : undefined
}

/** As much of a message as a line shows, in units of UTF-16. */
const LINE = 300

/** In one line, for lists and replies. */
export const plain = (source: string): string => summary(parse(source.slice(0, LINE)))

/** The words alone. */
export function summary(blocks: readonly Block[]): string {
  const words = (nodes: readonly Inline[]): string =>
    nodes.map((node) => ('children' in node ? words(node.children) : node.text)).join('')
  return blocks
    .map((block) => (block.kind === 'code' ? block.text : words(block.children)))
    .join(' ')
    .replace(/\s+/g, ' ')
    .slice(0, LINE)
}

/** One to three emoji alone are shown large. */
export function isBig(source: string): boolean {
  const text = source.trim()
  if (text.length > 40 || !/^[\p{Emoji_Presentation}\p{Extended_Pictographic}\p{Emoji_Modifier}\u200d\ufe0f\s]+$/u.test(text)) return false
  const letters = [...graphemes.segment(text)].filter(({ segment }) => segment.trim() !== '')
  return letters.length > 0 && letters.length <= 3
}
