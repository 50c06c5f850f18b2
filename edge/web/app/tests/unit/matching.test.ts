import { expect, test } from 'vitest'
import { matching } from '../../src/lib/matching'

const names = ['Zoë Müller', 'Ångström group', 'İstanbul', 'zoo keepers']
const find = (query: string) => matching(names, query, (name) => name)

test('case, accents and form do not matter', () => {
  expect(find('zoe')).toEqual(['Zoë Müller'])
  expect(find('ANGSTROM')).toEqual(['Ångström group'])
  expect(find('istanbul')).toEqual(['İstanbul'])
})

test('every word has to be there, in any order', () => {
  expect(find('mul zo')).toEqual(['Zoë Müller'])
  expect(find('zo')).toEqual(['Zoë Müller', 'zoo keepers'])
  expect(find('zo x')).toEqual([])
})

test('words are found by their beginnings, as the server finds people', () => {
  expect(find('oups')).toEqual([])
  expect(find('gro')).toEqual(['Ångström group'])
  expect(matching(['Smith-Jones', 'o.neill'], 'jones', (name) => name)).toEqual(['Smith-Jones'])
  expect(matching(['Smith-Jones', 'o.neill'], 'nei', (name) => name)).toEqual(['o.neill'])
  expect(matching(['Straße', 'कि', 'क'], 'STRASS', (name) => name)).toEqual(['Straße'])
  expect(matching(['कि', 'क'], 'कि', (name) => name)).toEqual(['कि'])
  expect(find('zo ---')).toEqual(['Zoë Müller', 'zoo keepers'])
  expect(find('---')).toEqual([])
})

test('nothing asked for finds everything', () => {
  expect(find('  ')).toEqual(names)
})
