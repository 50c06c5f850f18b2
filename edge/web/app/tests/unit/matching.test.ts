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

test('a query without words finds everything', () => {
  expect(find('  ')).toEqual(names)
})
