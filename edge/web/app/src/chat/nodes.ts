/**
 * The markup of a message as nodes of the page, made directly: rows come by the hundred while one scrolls, and text that
 * never changes in its place needs nothing that watches it. Text is only ever text here.
 */
import type { Block, Inline } from '../lib/markup'

const TAGS = { bold: 'strong', italic: 'em', strike: 's' } as const

export function nodes(blocks: readonly Block[]): DocumentFragment {
  const fragment = document.createDocumentFragment()
  for (const block of blocks) fragment.append(block.kind === 'code' ? code(block.text) : words(block.kind === 'quote' ? 'blockquote' : 'p', block.children))
  return fragment
}

function code(text: string): HTMLElement {
  const block = document.createElement('pre')
  block.dir = 'ltr'
  block.append(leaf('code', text))
  return block
}

/** Its direction is that of its first letters. */
function words(tag: 'p' | 'blockquote', children: readonly Inline[]): HTMLElement {
  const block = within(tag, children)
  block.dir = 'auto'
  return block
}

function within(tag: string, children: readonly Inline[]): HTMLElement {
  const element = document.createElement(tag)
  for (const child of children) element.append(inline(child))
  return element
}

function leaf<Tag extends keyof HTMLElementTagNameMap>(tag: Tag, text: string): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag)
  element.textContent = text
  return element
}

function inline(node: Inline): Node | string {
  switch (node.kind) {
    case 'text':
      return node.text
    case 'code':
      return leaf('code', node.text)
    case 'link':
      return Object.assign(leaf('a', node.text), { href: node.href, target: '_blank', rel: 'noopener noreferrer nofollow' })
    default:
      return within(TAGS[node.kind], node.children)
  }
}
