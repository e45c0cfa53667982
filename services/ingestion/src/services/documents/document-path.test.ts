import { expect, test } from 'vitest'
import { documentPath, spaceOf } from './document-path.ts'

test('paths are normalised; folders are kept', () => {
  for (const name of ['notes/a.md', '/notes/a.md', 'notes//./a.md', 'C:\\notes\\a.md', ' notes / a.md ']) {
    expect(documentPath(name)).toMatchObject({ path: 'notes/a.md', uri: 'upload://notes/a.md' })
  }
  expect(documentPath('e\u0301.md').path_hash).toBe(documentPath('\u00e9.md').path_hash)
  expect(documentPath('Öl & 🙂.md')).toMatchObject({ path: 'Öl & 🙂.md', uri: 'upload://%C3%96l%20%26%20%F0%9F%99%82.md' })
})

test('a path that leaves its folder or names no file is refused', () => {
  for (const name of ['../a.md', 'a/../../b.md', '..\\b.md', '/', '.', 'a\0b.md', 'a\nb.md', 'x'.repeat(1_025)]) {
    expect(() => documentPath(name)).toThrow(expect.objectContaining({ code: 'VALIDATION_ERROR' }))
  }
})

test('a private document is in the space of its owner', () => {
  expect(spaceOf({ user_id: 'u', group_id: 'g', is_private: false })).toBe('g')
  expect(spaceOf({ user_id: 'u', group_id: 'g', is_private: true })).toBe('u')
  expect(spaceOf({ user_id: 'u', group_id: null, is_private: false })).toBe('u')
})
