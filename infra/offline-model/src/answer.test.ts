import { expect, test } from 'vitest'
import { answer, NOT_FOUND } from './answer.ts'
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

test('a question is answered by one call of the search tool, whatever the prefix of its name', () => {
  const { text, toolCalls } = ask([QUESTION], ['current_datetime', 'semantic_knowledge_search'])
  expect(text).toBe('')
  expect(toolCalls).toEqual([{ function: { name: 'semantic_knowledge_search', arguments: { query: QUESTION.content } } }])
})

test.each([
  'What time is it?',
  "what's the date today",
  'What day is it in Rome?',
  'What time is it in New York?',
  'Tell me the current time',
])('"%s" calls the clock', (content) => {
  expect(ask([{ role: 'user', content }], ['knowledge_search', 'current_datetime']).toolCalls[0]?.function.name).toBe(
    'current_datetime',
  )
})

test.each(['What is the date of the contract?', 'How much time off do I get?', 'When is the deadline?'])(
  '"%s" calls the search',
  (content) => {
    expect(ask([{ role: 'user', content }], ['current_datetime', 'knowledge_search']).toolCalls[0]?.function.name).toBe(
      'knowledge_search',
    )
  },
)

test('a question longer than the search accepts is cut', () => {
  const { toolCalls } = ask([{ role: 'user', content: 'ä'.repeat(60_000) }], ['knowledge_search'])
  expect(String(toolCalls[0]?.function.arguments['query'])).toHaveLength(4_000)
})

test('passages below the question are quoted, as those of a tool are', () => {
  const content = `${QUESTION.content}\n\nFound in the documents:\n\n${FOUND.content}`
  expect(ask([{ role: 'user', content }]).text).toBe('You have 25 days of leave. [7]')
})

test('without tools the model introduces itself', () => {
  expect(ask([QUESTION])).toEqual({ text: expect.stringContaining('youworker-offline'), toolCalls: [] })
})

test('a search result is quoted with its number, followed by the footer', () => {
  expect(ask([QUESTION, CALL, FOUND], ['knowledge_search']).text).toBe(`You have 25 days of leave. [7]`)
})

test('a search without a fitting passage gives the not-found answer', () => {
  expect(ask([QUESTION, CALL, { ...FOUND, content: 'Nothing was found.' }]).text).toBe(NOT_FOUND)
})

test('the error of a failed search is the answer, not the not-found text', () => {
  const { text } = ask([QUESTION, CALL, { ...FOUND, content: 'Error: the search does not answer' }])
  expect(text).toBe('Error: the search does not answer')
})

test('the result of another tool is the answer', () => {
  const clock = { role: 'tool', tool_name: 'current_datetime', content: 'Friday 21 November 2025, 08:00:00 in Europe/Rome' }
  expect(ask([{ role: 'user', content: 'What time is it?' }, CALL, clock]).text).toBe(clock.content)
})

test('results before the last question are ignored', () => {
  const earlier = [
    QUESTION,
    CALL,
    { ...FOUND, content: '[1] old.md\nYou have 9 days of leave.' },
    { role: 'assistant', content: '9 days. [1]' },
  ]
  expect(ask([...earlier, QUESTION, CALL, FOUND]).text).toContain('25 days')
  expect(ask([...earlier, QUESTION, CALL, FOUND]).text).not.toContain('9 days')
})

test('an answer cut at any character is continued without repetition', () => {
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

test('a begun answer without one of its citation numbers is continued where it stopped', () => {
  const twice = { ...FOUND, content: `${FOUND.content}\n\n[8] rules.md\nYou have 5 more days of leave in May.` }
  const full = ask([QUESTION, CALL, twice]).text
  expect(full).toBe('You have 25 days of leave. [7] You have 5 more days of leave in May. [8]')
  const begun = full.slice(0, 60).replace(' [7]', '')
  expect(ask([QUESTION, CALL, twice, { role: 'assistant', content: begun }]).text).toBe(full.slice(60))
})
