import { expect, test } from 'vitest'
import { contentStems, stem, wordsOf } from './words.ts'

test.each([
  ['leave', 'leaves'],
  ['leave', 'leaving'],
  ['policy', 'policies'],
  ['run', 'running'],
  ['approve', 'approved'],
  ['box', 'boxes'],
  ['expense', 'expenses'],
])('%s and %s have one stem', (a, b) => {
  expect(stem(a)).toBe(stem(b))
})

test('different words keep different stems', () => {
  expect(
    new Set(['leave', 'level', 'bus', 'business', 'this', 'analysis', 'process', 'ring', 'need', 'seed'].map(stem)).size,
  ).toBe(10)
})

test('words are lower case, without accents, and numbers stay whole', () => {
  expect(wordsOf("The company's Café pays 1,500 € or 3.5 %")).toEqual(['the', 'company', 'cafe', 'pays', '1500', 'or', '3.5'])
})

test('scripts without spaces give character pairs', () => {
  expect(wordsOf('年次休暇は25日')).toEqual(['年次', '次休', '休暇', '暇は', '25', '日'])
})

test('stop words are dropped', () => {
  expect(contentStems('How many days of leave do I have?')).toEqual(['day', 'leav'])
})
