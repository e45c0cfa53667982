import { expect, test } from 'vitest'
import { CitationFilter } from './citation-filter.ts'

const hits = (index: number) => index >= 1 && index <= 2
const stream = (...chunks: string[]) => {
  const filter = new CitationFilter(hits)
  return [...chunks.map((chunk) => filter.push(chunk)), filter.end()]
}
const whole = (text: string) => new CitationFilter(hits).whole(text)

test('keeps the numbers of hits and drops all others', () => {
  expect(whole('30 days [1], or more [3][2].')).toBe('30 days [1], or more [2].')
  expect(whole('[0][01][1]')).toBe('[1]')
})

test('holds back an unfinished bracket, however the text is cut', () => {
  expect(stream('days [', '1', '] and', ' [9', ']!')).toEqual(['days ', '', '[1] and', ' ', '!', ''])
  const text = 'a [1] b [7] c [x] [12345678] [[2]] [2'
  const parts = stream(...text.split(''))
  expect(parts.join('')).toBe(whole(text))
  expect(parts.join('')).toBe('a [1] b  c [x] [12345678] [[2]] [2')
})

test('leaves links and words in brackets alone', () => {
  expect(whole('see [the page](http://x) and [ ] too')).toBe('see [the page](http://x) and [ ] too')
})

test('leaves code alone, also when it began in text that was shown before', () => {
  expect(whole('```js\na[7] = 1\n```\nthen [7]')).toBe('```js\na[7] = 1\n```\nthen ')
  expect(whole('use `a[7]` here [7]')).toBe('use `a[7]` here ')
  expect(whole('a stray ` tick\nthen [7]')).toBe('a stray ` tick\nthen ')
  const filter = new CitationFilter(hits)
  filter.resume('```js\nlet b = ')
  expect(filter.push('a[7]\n```\n[7]')).toBe('a[7]\n```\n')
})
