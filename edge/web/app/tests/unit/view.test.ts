import { expect, test } from 'vitest'
import { read } from '../../src/lib/view'

test('an address that no view has is missing', () => {
  for (const path of ['/nonsense', '/settings/more', '/c', '/c/', '/c/id/7/more', '/login/', '//', '/c/id/']) {
    expect({ path, view: read(path) }).toEqual({ path, view: { name: 'missing' } })
  }
})

test('every view has its address', () => {
  expect(read('/')).toEqual({ name: 'home' })
  expect(read('/settings')).toEqual({ name: 'settings' })
  expect(read('/c/id')).toEqual({ name: 'room', id: 'id', seq: undefined })
  expect(read('/c/id/7')).toEqual({ name: 'room', id: 'id', seq: 7 })
})
