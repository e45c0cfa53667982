import { expect, test } from 'vitest'
import { snippetOf } from './snippet.ts'

const filler = 'Lorem ipsum dolor sit amet consectetur. '.repeat(40)

test('shows the densest group of terms', () => {
  const snippet = snippetOf(`One leave here. ${filler} Every employee has 27 days of paid leave. ${filler}`, ['days', 'leave'])
  expect(snippet).toContain('27 days of paid leave')
  expect(snippet).toMatch(/^….*…$/)
  expect(snippet.length).toBeLessThanOrEqual(300)
})

test('matches other forms of a word, and without accents', () => {
  expect(snippetOf(`${filler} Das Café hat zwei Türen. ${filler}`, ['cafe', 'tur'])).toContain('Café')
  expect(snippetOf(`${filler} She was running late. ${filler}`, ['runs'])).toContain('running late')
  expect(snippetOf(`${filler} She was runnable. ${filler}`, ['rut'])).toMatch(/^Lorem/)
  expect(snippetOf(`${filler} Two employees left. ${filler}`, ['employee'])).toContain('employees left')
})

test('finds text without spaces and cuts no character in two', () => {
  const snippet = snippetOf(`${'あいう🙂'.repeat(200)}図書館${'🙂えお'.repeat(200)}`, ['図書', '書館'])
  expect(snippet).toContain('図書館')
  expect(snippet.isWellFormed()).toBe(true)
  expect(snippet.length).toBeLessThanOrEqual(300)
})

test('begins at the beginning when nothing matches, on one line', () => {
  expect(snippetOf(`Head\n\nline\n${filler}`, ['zebra'])).toMatch(/^Head line Lorem/)
  expect(snippetOf('short\ntext', [])).toBe('short text')
})
