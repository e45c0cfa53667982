import { expect, test } from 'vitest'
import { MOST_SPOKEN, spokenText } from './spoken-text.ts'

test('marks of citations and Markdown are not read aloud', () => {
  const answer =
    '# Rivers\n\n- The **Danube** flows through ten countries [1].\n- See [the map](https://example.org/map) and `code` [12].'
  const text = 'Rivers\n\nThe Danube flows through ten countries.\nSee the map and code.'
  expect(spokenText(answer)).toEqual({ text, isCut: false })
  expect(spokenText('  [1] ').text).toBe('')
})

test.each([
  ['Water is wet. ', /wet\.$/],
  ['Ist Wasser nass? ', /nass\?$/],
  ['水は濡れている。', /。$/],
])('a long answer of %j ends with a sentence', (sentence, end) => {
  const { text, isCut } = spokenText(sentence.repeat(1_000))
  expect(isCut).toBe(true)
  expect(text).toMatch(end)
  expect(text.length).toBeLessThanOrEqual(MOST_SPOKEN)
  expect(text.length).toBeGreaterThan(MOST_SPOKEN - 100)
})

test('one sentence that is too long ends with a word, and no character is cut in half', () => {
  const { text } = spokenText('word '.repeat(10_000))
  expect(text).toMatch(/ word$/)
  expect(text.length).toBeLessThanOrEqual(MOST_SPOKEN)
  expect(spokenText(`a${'🙂'.repeat(10_000)}`).text.isWellFormed()).toBe(true)
})
