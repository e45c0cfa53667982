import { expect, test } from 'vitest'
import { matchesIn } from '../../analysis/matches.ts'
import { parseQuery, queryTerms } from '../../analysis/query.ts'
import { snippetOf } from './snippet.ts'

const filler = 'Lorem ipsum dolor sit amet consectetur. '.repeat(40)
const snippet = (text: string, query: string, language = 'en') =>
  snippetOf(text, matchesIn(text, language, queryTerms(parseQuery(query), [language])))

test('shows the densest group of terms', () => {
  const found = snippet(`One leave here. ${filler} Every employee has 27 days of paid leave. ${filler}`, 'days of leave')
  expect(found).toContain('27 days of paid leave')
  expect(found).toMatch(/^….*…$/)
  expect(found.length).toBeLessThanOrEqual(300)
})

test('shows other forms of a word, and words without their accents', () => {
  expect(snippet(`${filler} Das Café hat zwei Türen. ${filler}`, 'cafe tür', 'de')).toContain('Café')
  expect(snippet(`${filler} She was running late. ${filler}`, 'runs')).toContain('running late')
  expect(snippet(`${filler} She was runnable. ${filler}`, 'rut')).toMatch(/^Lorem/)
})

test('finds text without spaces and cuts no character in two', () => {
  const found = snippet(`${'あいう🙂'.repeat(200)}図書館${'🙂えお'.repeat(200)}`, '図書館', 'ja')
  expect(found).toContain('図書館')
  expect(found.isWellFormed()).toBe(true)
  expect(found.length).toBeLessThanOrEqual(300)
})

test('begins at the beginning when nothing matches, on one line', () => {
  expect(snippet(`Head\n\nline\n${filler}`, 'zebra')).toMatch(/^Head line Lorem/)
  expect(snippetOf('short\ntext', [])).toBe('short text')
})
