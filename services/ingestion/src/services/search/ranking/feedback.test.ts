import { expect, test } from 'vitest'
import type { QueryTerm } from '../../../analysis/query.ts'
import { feedbackWords, withFeedback } from './feedback.ts'

const asked: QueryTerm[] = [{ forms: ['wine', 'wein'], weight: 1, use: 'should' }]
const texts = [
  ['wine', 'grape', 'grape', 'common'],
  ['wine', 'grape', 'common'],
]

test('words that set the passages apart are added with less weight, and those of the question gain some', () => {
  const words = feedbackWords(texts)
  expect(words.toSorted()).toEqual(['common', 'grape', 'wine'])
  const counts = words.map((word) => (word === 'common' ? 900 : 5))
  const wide = withFeedback(asked, texts, words, { chunks: 1_000, counts })
  const weightOf = (form: string) => wide.find(({ forms }) => forms.includes(form))?.weight ?? 0
  expect(wide).toHaveLength(3)
  expect(weightOf('grape')).toBeCloseTo(0.3)
  expect(weightOf('wine')).toBeGreaterThan(1)
  expect(weightOf('common')).toBeLessThan(weightOf('grape'))
})

test('a word that no other chunk has is not added, and a word to leave out stays one', () => {
  const not: QueryTerm = { forms: ['grape'], weight: 1, use: 'not' }
  const wide = withFeedback([...asked, not], texts, ['grape', 'common'], { chunks: 10, counts: [5, 1] })
  expect(wide.filter(({ forms }) => forms.includes('common'))).toEqual([])
  expect(wide).toContainEqual(not)
})
