import { expect, test } from 'vitest'
import { countTokens, cutTokens } from './count-tokens.ts'

test.each([
  ['', 0],
  ['You have 25 days of leave.', 7],
  ['日本語', 3],
  ['internationalisation', 4],
  ['a'.repeat(64), 32],
  ['😀!', 2],
])('%j is about %i tokens', (text, tokens) => expect(countTokens(text)).toBe(tokens))

test.each([
  ['one two three', 2, 'one two '],
  ['one two three', 9, 'one two three'],
  ['one', 0, ''],
  ['日本語', 2, '日本'],
  ['x internationalisation', 3, 'x '],
  [`x ${'a'.repeat(64)}`, 11, `x ${'a'.repeat(20)}`],
])('%j cut to %i tokens', (text, max, expected) => {
  expect(cutTokens(text, max)).toBe(expected)
  expect(countTokens(cutTokens(text, max))).toBeLessThanOrEqual(max)
})

test('long texts of one kind take linear time', () => {
  for (const unit of ['a', 'a ', '語', '!', '\u0301', ' ']) {
    const text = unit.repeat(1_000_000)
    expect(countTokens(cutTokens(text, 1_000))).toBeLessThanOrEqual(1_000)
  }
})
