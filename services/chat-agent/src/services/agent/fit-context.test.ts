import { expect, test } from 'vitest'
import { countTokens } from '@youworker/runtime/text/count-tokens'
import { fitContext } from './fit-context.ts'
import type { ModelMessage } from '../models/model-port.ts'

const system: ModelMessage = { role: 'system', content: 'S' }
const user = (content: string): ModelMessage => ({ role: 'user', content })
const assistant = (content: string): ModelMessage => ({ role: 'assistant', content })
const calling: ModelMessage = { role: 'assistant', content: '', tool_calls: [{ name: 't', arguments: {} }] }
const result = (content: string): ModelMessage => ({ role: 'tool', tool_name: 't', content })
const tokensOf = (messages: readonly ModelMessage[]) => messages.reduce((sum, { content }) => sum + 8 + countTokens(content), 0)

test('the oldest turns are left out first, and the rest begins with a question', () => {
  const history = [user('a '.repeat(100)), assistant('b '.repeat(100)), user('c '.repeat(10)), assistant('d '.repeat(10))]
  const contents = (budget: number) =>
    fitContext({ system, history, turn: [user('now')] }, budget).messages.map(({ content }) => content[0])
  expect(contents(1_000)).toEqual(['S', 'a', 'b', 'c', 'd', 'n'])
  expect(contents(200)).toEqual(['S', 'c', 'd', 'n'])
  expect(contents(40)).toEqual(['S', 'n'])
})

test('long tool results are cut between characters, the newest one last and least', () => {
  const old: ModelMessage = { role: 'tool', tool_name: 't', content: 'ä '.repeat(3_000) }
  const recent: ModelMessage = { role: 'tool', tool_name: 't', content: 'é '.repeat(3_000) }
  const turn = [user('now'), calling, old, calling, recent]
  const fitted = fitContext({ system, history: [], turn }, 1_500).messages
  const [, , , first, , second] = fitted
  expect(first?.content).toMatch(/^(ä )+\n\(cut/)
  expect(second?.content).toMatch(/^(é )+\n\(cut/)
  expect(second?.content.length).toBeGreaterThan((first?.content.length ?? 0) * 3)
  expect(fitted.reduce((total, { content }) => total + countTokens(content), 0)).toBeLessThan(1_500)
})

test('results that the model has read are cut before an older turn is left out', () => {
  const history = [user('h '.repeat(300)), assistant('i '.repeat(300))]
  const turn = [user('now'), calling, result('r '.repeat(900)), calling, result('s '.repeat(300))]
  const { messages, omitted } = fitContext({ system, history, turn }, 1_300)
  expect(omitted).toBe(0)
  expect(messages.map(({ content }) => [content[0] ?? '', content.includes('(cut')])).toEqual([
    ['S', false],
    ['h', false],
    ['i', false],
    ['n', false],
    ['', false],
    ['r', true],
    ['', false],
    ['s', false],
  ])
  expect(tokensOf(messages)).toBeLessThanOrEqual(1_300)
})

test('results of one step that the model is about to read share half of the budget, the longest is cut; the summary stays longest', () => {
  const summary = [user('Summarise'), assistant('z '.repeat(100))]
  const history = [user('h '.repeat(400)), assistant('i '.repeat(400))]
  const turn = [user('now'), calling, result('short '.repeat(20)), result('long '.repeat(3_000))]
  const { messages, omitted, isSummarised } = fitContext({ system, summary, history, turn }, 1_000)
  expect([omitted, isSummarised]).toEqual([2, true])
  expect(messages.map(({ content }) => content[0] ?? '')).toEqual(['S', 'S', 'z', 'n', '', 's', 'l'])
  expect(messages.at(-2)?.content).toBe('short '.repeat(20))
  const longest = countTokens(messages.at(-1)?.content ?? '')
  expect([longest > 350, longest < 500]).toEqual([true, true])
  expect(tokensOf(messages)).toBeLessThanOrEqual(1_000)
  expect(fitContext({ system, summary, history, turn: [user('now')] }, 100)).toMatchObject({ omitted: 2, isSummarised: false })
})

test('results of a conversation that the client sends are cut first as well', () => {
  const history = [user('one'), calling, result('r '.repeat(900)), assistant('done'), user('two'), assistant('fine')]
  const { messages, omitted } = fitContext({ system: undefined, history, turn: [user('now')] }, 400)
  expect(omitted).toBe(0)
  expect(messages[2]?.content).toContain('(cut')
})
