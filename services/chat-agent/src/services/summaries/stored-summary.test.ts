import { expect, test } from 'vitest'
import { sinceSummary } from './stored-summary.ts'

const rows = (text: string) => text.split(' ').map((role, index) => ({ index, role: role as 'user' | 'assistant' | 'summary' }))
const split = (text: string) => {
  const { summary, messages } = sinceSummary(rows(text))
  return [summary?.index, messages.map(({ index }) => index)]
}

test('the newest summary is used, and only what comes behind it; never the one of the newest question itself', () => {
  expect(split('user assistant user summary assistant user summary')).toEqual([3, [0, 1, 2]])
  expect(split('user assistant user')).toEqual([undefined, [0, 1, 2]])
  expect(split('summary assistant user summary assistant user')).toEqual([3, [1, 2]])
  expect(split('summary assistant user')).toEqual([undefined, [1, 2]])
})
