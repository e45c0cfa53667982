import { expect, test } from 'vitest'
import { answer, FOOTER, NOT_FOUND } from './answer.ts'
import { ChatRequest } from './wire.ts'

const tool = (name: string) => ({ type: 'function', function: { name, description: '', parameters: {} } })
const ask = (messages: object[], tools: string[] = []) =>
  answer(ChatRequest.parse({ model: 'm', messages, tools: tools.map(tool) }))
const QUESTION = { role: 'user', content: 'How many days of leave do I have?' }
const CALL = { role: 'assistant', content: '', tool_calls: [{ function: { name: 'knowledge_search', arguments: {} } }] }
const FOUND = {
  role: 'tool',
  tool_name: 'knowledge_search',
  content: '[7] handbook.md, p. 2\nYou have 25 days of leave. You have a desk.',
}

test('a question and a search tool, under whatever prefix: one call', () => {
  const { text, toolCalls } = ask([QUESTION], ['current_datetime', 'semantic_knowledge_search'])
  expect(text).toBe('')
  expect(toolCalls).toEqual([{ function: { name: 'semantic_knowledge_search', arguments: { query: QUESTION.content } } }])
})

test.each(['What time is it?', "what's the date today", 'What day is it in Rome?', 'Tell me the current time'])(
  '%s goes to the clock',
  (content) => {
    expect(ask([{ role: 'user', content }], ['knowledge_search', 'current_datetime']).toolCalls[0]?.function.name).toBe(
      'current_datetime',
    )
  },
)

test.each(['What is the date of the contract?', 'How much time off do I get?', 'When is the deadline?'])(
  '%s goes to the documents',
  (content) => {
    expect(ask([{ role: 'user', content }], ['current_datetime', 'knowledge_search']).toolCalls[0]?.function.name).toBe(
      'knowledge_search',
    )
  },
)

test('a question longer than a search takes is cut', () => {
  const { toolCalls } = ask([{ role: 'user', content: 'ä'.repeat(60_000) }], ['knowledge_search'])
  expect(String(toolCalls[0]?.function.arguments['query'])).toHaveLength(4_000)
})

test('without tools it says what it is', () => {
  expect(ask([QUESTION])).toEqual({ text: expect.stringContaining('youworker-offline'), toolCalls: [] })
})

test('after a search it quotes with the number, and the footer stands on its own line', () => {
  expect(ask([QUESTION, CALL, FOUND], ['knowledge_search']).text).toBe(`You have 25 days of leave. [7]${FOOTER}`)
})

test('after a search that found nothing fitting it says so', () => {
  expect(ask([QUESTION, CALL, { ...FOUND, content: 'Nothing was found.' }]).text).toBe(NOT_FOUND + FOOTER)
})

test('a search that failed is not a search that found nothing', () => {
  const { text } = ask([QUESTION, CALL, { ...FOUND, content: 'Error: the search does not answer' }])
  expect(text).toBe(`Error: the search does not answer${FOOTER}`)
})

test('what another tool said is passed on', () => {
  const told = { role: 'tool', tool_name: 'current_datetime', content: 'Friday 21 November 2025, 08:00:00 in Europe/Rome' }
  expect(ask([{ role: 'user', content: 'What time is it?' }, CALL, told]).text).toBe(told.content + FOOTER)
})

test('only results since the last question count', () => {
  const earlier = [
    QUESTION,
    CALL,
    { ...FOUND, content: '[1] old.md\nYou have 9 days of leave.' },
    { role: 'assistant', content: '9 days. [1]' },
  ]
  expect(ask([...earlier, QUESTION, CALL, FOUND]).text).toContain('25 days')
  expect(ask([...earlier, QUESTION, CALL, FOUND]).text).not.toContain('9 days')
})

test('a begun answer goes on at any character, and repeats nothing', () => {
  const full = ask([QUESTION, CALL, FOUND]).text
  for (let cut = 1; cut <= full.length; cut += 1) {
    const { text, toolCalls } = ask(
      [QUESTION, CALL, FOUND, { role: 'assistant', content: full.slice(0, cut) }],
      ['knowledge_search'],
    )
    expect(full.slice(0, cut) + text).toBe(full)
    expect(toolCalls).toEqual([])
  }
})

test('a begun answer from which a number was dropped on the way goes on where it stopped', () => {
  const full = ask([QUESTION, CALL, FOUND]).text
  const begun = full.slice(0, 60).replace(' [7]', '')
  expect(ask([QUESTION, CALL, FOUND, { role: 'assistant', content: begun }]).text).toBe(full.slice(60))
})
