import { describe, expect, test } from 'vitest'
import { inline, isBig, parse, plain, summary, type Inline } from '../../src/lib/markup'

/** Back to text, to see the tree in one line. */
const show = (nodes: readonly Inline[]): string =>
  nodes
    .map((node) => {
      if (node.kind === 'text') return node.text
      if ('children' in node) return `<${node.kind}>${show(node.children)}</${node.kind}>`
      return `<${node.kind}>${node.text}</${node.kind}>`
    })
    .join('')

describe('inline', () => {
  test.each([
    ['**bold** and *italic* and _too_ and ~~gone~~', '<bold>bold</bold> and <italic>italic</italic> and <italic>too</italic> and <strike>gone</strike>'],
    ['**bold _and italic_**', '<bold>bold <italic>and italic</italic></bold>'],
    ['`code *is* code`', '<code>code *is* code</code>'],
    ['snake_case_name 2*3*4 a ** b', 'snake_case_name 2*3*4 a ** b'],
    ['**never closed *neither', '**never closed *neither'],
    ['*a **b* c**', '<italic>a **b</italic> c**'],
    ['**** __', '**** __'],
    ['``', '``'],
    ['(see https://example.org/a_(b).)', '(see <link>https://example.org/a_(b)</link>.)'],
    ['https://example.org/?q=1, http://', '<link>https://example.org/?q=1</link>, http://'],
    ['javascript:alert(1) data:text/html,x', 'javascript:alert(1) data:text/html,x'],
    ['xhttps://example.org', 'xhttps://example.org'],
    ['https://exa<b>mple', '<link>https://exa</link><b>mple'],
  ])('%s', (source, expected) => {
    expect(show(inline(source))).toBe(expected)
  })

  test('only http and https are linked', () => {
    const links = inline('https://a.example http://b.example ftp://c.example').filter(({ kind }) => kind === 'link')
    expect(links.map((link) => ('href' in link ? link.href : ''))).toEqual(['https://a.example/', 'http://b.example/'])
  })
})

test('quotes, code and paragraphs are blocks', () => {
  expect(parse('> one\n> two\nanswer\n```js\nlet x = `1`\n\n*x*\n```\nend')).toEqual([
    { kind: 'quote', children: [{ kind: 'text', text: 'one\ntwo' }] },
    { kind: 'paragraph', children: [{ kind: 'text', text: 'answer' }] },
    { kind: 'code', text: 'let x = `1`\n\n*x*' },
    { kind: 'paragraph', children: [{ kind: 'text', text: 'end' }] },
  ])
  expect(parse('```\nnever closed')).toEqual([{ kind: 'paragraph', children: [{ kind: 'text', text: '```\nnever closed' }] }])
})

test('nothing that is written is lost', () => {
  const letters = ['*', '_', '~', '`', '>', ' ', '\n', 'a', 'https://x.y/', ')', '**', '```']
  let seed = 7
  const next = () => (seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31)
  for (let round = 0; round < 3_000; round++) {
    const source = Array.from({ length: next() % 14 }, () => letters[next() % letters.length]).join('')
    const bare = (text: string) => text.replace(/[*_~`>\s]/g, '')
    const words = parse(source).map((block) => (block.kind === 'code' ? block.text : show(block.children).replace(/<\/?(bold|italic|strike|code|link)>/g, '')))
    expect(bare(words.join('')), JSON.stringify(source)).toBe(bare(source))
  }
})

test('8 KiB of marks take no longer than 8 KiB of words', () => {
  for (const mark of ['*', '**a ', '_a', '`', '> ', '```\n', 'https://a.b/(', '*a **b ']) {
    const source = mark.repeat(8_192 / mark.length)
    const begun = performance.now()
    parse(source)
    plain(source)
    expect(performance.now() - begun, mark).toBeLessThan(500)
  }
})

test('a few emoji alone are big', () => {
  expect(['😀', '👍🏽 🎉', '👨‍👩‍👧'].map(isBig)).toEqual([true, true, true])
  expect(['', 'a 😀', '😀😀😀😀', '12', '#'].map(isBig)).toEqual([false, false, false, false, false])
})

test('a summary of a long message is as long as a line', () => {
  expect(summary(parse('**one**\n> two'))).toBe('one two')
  expect(summary(parse('long '.repeat(1_000)))).toHaveLength(300)
})
