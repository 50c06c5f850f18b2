// Message files (words/*.json, ICU MessageFormat) become modules: text where nothing is filled in, else a function
// with typed arguments. Fails when a language lacks a message or fills in other arguments than English does.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parse, TYPE } from '@formatjs/icu-messageformat-parser'

const root = fileURLToPath(new URL('..', import.meta.url))
const LANGUAGES = ['en', 'de']

const read = (language) => {
  const texts = JSON.parse(readFileSync(`${root}words/${language}.json`, 'utf8'))
  return new Map(Object.entries(texts).map(([key, text]) => [key, parse(text, { ignoreTag: true })]))
}

/** Argument names with their types, of all branches. */
const argumentsOf = (elements, found = new Map()) => {
  for (const element of elements) {
    if (element.type === TYPE.argument) found.set(element.value, found.get(element.value) ?? 'string')
    else if (element.type === TYPE.number) found.set(element.value, 'number')
    else if (element.type === TYPE.plural || element.type === TYPE.select) {
      found.set(element.value, element.type === TYPE.plural ? 'number' : 'string')
      for (const option of Object.values(element.options)) argumentsOf(option.value, found)
    } else if (element.type !== TYPE.literal && element.type !== TYPE.pound) {
      throw new Error(`not supported in a message: ${JSON.stringify(element)}`)
    }
  }
  return found
}

/** The elements as an expression; `change` maps what is read by people. */
const expression = (elements, change, plural) => {
  const parts = elements.map((element) => {
    switch (element.type) {
      case TYPE.literal:
        return JSON.stringify(change(element.value))
      case TYPE.argument:
        return `isolate(a.${element.value})`
      case TYPE.number:
        return `number(a.${element.value})`
      case TYPE.pound:
        return `number(a.${plural})`
      case TYPE.select:
      case TYPE.plural: {
        const name = element.type === TYPE.plural ? element.value : plural
        const options = Object.entries(element.options)
          .map(([key, option]) => `${JSON.stringify(key)}: () => ${expression(option.value, change, name)}`)
          .join(', ')
        return `${element.type === TYPE.plural ? 'plural' : 'select'}(a.${element.value}, { ${options} })`
      }
    }
  })
  return parts.length === 0 ? '""' : parts.join(' + ')
}

const module = (messages, language, change = (text) => text, ends = ['', '']) => {
  const lines = [...messages].map(([key, elements]) => {
    const found = argumentsOf(elements)
    const types = [...found].map(([name, type]) => `${name}: ${type}`).join('; ')
    const around = ends.map((end) => JSON.stringify(end))
    const text = ends[0] ? `${around[0]} + ${expression(elements, change)} + ${around[1]}` : expression(elements, change)
    return found.size === 0 ? `  ${key}: ${text},` : `  ${key}: (a: { ${types} }) => ${text},`
  })
  const used = ['isolate', 'number', 'plural', 'select'].filter((name) => lines.some((line) => line.includes(`${name}(a.`)))
  return `// Made from words/${language}.json by tools/words.js.
import { formats } from '../formats'
import type { Words } from './types'

const { ${used.join(', ')} } = formats(${JSON.stringify(language)})

export const words: Words = {
${lines.join('\n')}
}
`
}

/** Longer, accented and bracketed: what is not from a message file stands out, and so does what is cut off. */
const accented = (text) => {
  const table = { a: 'á', e: 'é', i: 'í', o: 'ó', u: 'ú', c: 'ç', n: 'ñ', s: 'š', y: 'ý', A: 'Á', E: 'É', O: 'Ó', U: 'Ú', N: 'Ñ' }
  return [...text].map((letter) => table[letter] ?? letter).join('')
}

const english = read('en')
const made = `${root}src/words/made`
mkdirSync(made, { recursive: true })
const signature = (elements) => JSON.stringify([...argumentsOf(elements)].sort())
for (const language of LANGUAGES) {
  const messages = read(language)
  const wrong = [...english].filter(([key, elements]) => !messages.has(key) || signature(messages.get(key)) !== signature(elements))
  const extra = [...messages.keys()].filter((key) => !english.has(key))
  const bad = [...wrong.map(([key]) => key), ...extra]
  if (bad.length > 0) throw new Error(`words/${language}.json differs from English in: ${bad.join(', ')}`)
  writeFileSync(`${made}/${language}.ts`, module(messages, language))
}
writeFileSync(`${made}/pseudo.ts`, module(english, 'en', accented, ['⟦', ' ···⟧']))
const types = [...english].map(([key, elements]) => {
  const found = [...argumentsOf(elements)].map(([name, type]) => `${name}: ${type}`).join('; ')
  return `  ${key}: ${found ? `(a: { ${found} }) => string` : 'string'}`
})
writeFileSync(`${made}/types.ts`, `// Made from words/en.json by tools/words.js.\nexport interface Words {\n${types.join('\n')}\n}\n`)
