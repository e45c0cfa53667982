import { expect, test } from 'vitest'
import { indexedText, searchTerms } from './search-terms.ts'

test('stop words are dropped from a question unless it has no other words', () => {
  expect(searchTerms('How many days of leave do I have?')).toEqual(['days', 'leave'])
  expect(searchTerms('To be or not to be')).toEqual(['not'])
  expect(searchTerms('who are you')).toEqual(['who', 'are', 'you'])
})

test('a query holds letters and digits only', () => {
  for (const query of ['"', 'a" OR "b', 'NEAR(x, y)', 'col:y*', '{', '\0', '🙂', '--']) {
    for (const term of searchTerms(query)) expect(term).toMatch(/^[\p{L}\p{N}\p{M}]+$/u)
  }
  expect(searchTerms('🙂 --')).toEqual([])
  expect(searchTerms('x '.repeat(5_000) + 'word'.repeat(100) + [...Array(500).keys()].join(' '))).toHaveLength(64)
})

test('text without spaces is found by pairs of characters', () => {
  expect(searchTerms('図書館はtower')).toEqual(['tower', '図書', '書館', '館は'])
  expect(searchTerms('水')).toEqual(['水'])
  const { words, grams } = indexedText('東京 Tower ｆｕｌｌ')
  expect(words.trim()).toBe('Tower full')
  expect(grams).toBe('東 京 東京')
  for (const term of searchTerms('東京')) expect(grams.split(' ')).toContain(term)
})
