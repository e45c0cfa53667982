import type { RunEntry, RunEntryBody } from '@youworker/contracts/agent/run-log'
import { expect, test } from 'vitest'
import { attemptOf, entryNumber, Transcript } from './transcript.ts'

const token = (text: string): RunEntryBody => ({ event: 'token', data: { text } })
const log = (attempt: number, ...bodies: RunEntryBody[]): RunEntry[] =>
  bodies.map((body, index) => ({ n: entryNumber(attempt, index + 1), body }))

test('numbers are dense within an attempt, and no two attempts share one', () => {
  expect(entryNumber(0, 1)).toBe(1)
  expect(entryNumber(2, 7)).toBe(2_000_007)
  expect(attemptOf(2_000_007)).toBe(2)
})

test('a rewind cuts the text at its offset, in UTF-16 units', () => {
  const first = log(1, token('One 😀'), token(' two'), { event: 'log', data: { level: 'info', msg: 'x' } })
  const second = log(2, { event: 'rewind', data: { offset: 6 } }, token(' three'))
  const third = log(3, { event: 'rewind', data: { offset: 12 } })
  const transcript = new Transcript()
  for (const entry of [...first, ...second, ...third]) transcript.add(entry)
  expect(transcript.text).toBe('One 😀 three')
  expect(transcript.logs).toEqual([{ level: 'info', msg: 'x' }])
  expect([1, 2, 3, 4].map((attempt) => transcript.lastIndex(attempt))).toEqual([3, 2, 1, 0])
})
