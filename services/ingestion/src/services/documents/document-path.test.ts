import { expect, test } from 'vitest'
import { documentPath, spaceOf } from './document-path.ts'

test('folders stay, everything that means nothing goes', () => {
  for (const name of ['notes/a.md', '/notes/a.md', 'notes//./a.md', 'C:\\notes\\a.md', ' notes / a.md ']) {
    expect(documentPath(name)).toMatchObject({ path: 'notes/a.md', uri: 'upload://notes/a.md' })
  }
  expect(documentPath('e\u0301.md').path_hash).toBe(documentPath('\u00e9.md').path_hash)
  expect(documentPath('Öl & 🙂.md')).toMatchObject({ path: 'Öl & 🙂.md', uri: 'upload://%C3%96l%20%26%20%F0%9F%99%82.md' })
})

test('what leads out of its folder or names nothing is refused', () => {
  for (const name of ['../a.md', 'a/../../b.md', '..\\b.md', '/', '.', 'a\0b.md', 'a\nb.md', 'x'.repeat(1_025)]) {
    expect(() => documentPath(name)).toThrow(expect.objectContaining({ code: 'VALIDATION_ERROR' }))
  }
})

test('private documents stay with their owner', () => {
  expect(spaceOf({ user_id: 'u', group_id: 'g', is_private: false })).toBe('g')
  expect(spaceOf({ user_id: 'u', group_id: 'g', is_private: true })).toBe('u')
  expect(spaceOf({ user_id: 'u', group_id: null, is_private: false })).toBe('u')
})
