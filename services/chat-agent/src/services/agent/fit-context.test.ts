import { expect, test } from 'vitest'
import { countTokens } from '@youworker/runtime/text/count-tokens'
import { fitContext } from './fit-context.ts'
import type { ModelMessage } from '../models/model-port.ts'

const system: ModelMessage = { role: 'system', content: 'S' }
const user = (content: string): ModelMessage => ({ role: 'user', content })
const assistant = (content: string): ModelMessage => ({ role: 'assistant', content })

test('the oldest turns are left out first, and the rest begins with a question', () => {
  const history = [user('a '.repeat(100)), assistant('b '.repeat(100)), user('c '.repeat(10)), assistant('d '.repeat(10))]
  const contents = (budget: number) =>
    fitContext({ system, history, turn: [user('now')] }, budget).map(({ content }) => content[0])
  expect(contents(1_000)).toEqual(['S', 'a', 'b', 'c', 'd', 'n'])
  expect(contents(200)).toEqual(['S', 'c', 'd', 'n'])
  expect(contents(40)).toEqual(['S', 'n'])
})

test('long tool results are cut between characters, the newest one last and least', () => {
  const old: ModelMessage = { role: 'tool', tool_name: 't', content: 'ä '.repeat(3_000) }
  const recent: ModelMessage = { role: 'tool', tool_name: 't', content: 'é '.repeat(3_000) }
  const fitted = fitContext({ system, history: [], turn: [user('now'), old, recent] }, 1_500)
  const [, , first, second] = fitted
  expect(first?.content).toMatch(/^(ä )+\n\(cut/)
  expect(second?.content).toMatch(/^(é )+\n\(cut/)
  expect(second?.content.length).toBeGreaterThan((first?.content.length ?? 0) * 3)
  expect(fitted.reduce((total, { content }) => total + countTokens(content), 0)).toBeLessThan(1_500)
})
