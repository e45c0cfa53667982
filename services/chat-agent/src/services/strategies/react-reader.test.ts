import { expect, test } from 'vitest'
import type { ModelChunk } from '../models/model-port.ts'
import { readReact } from './react-reader.ts'

async function read(parts: readonly string[]) {
  async function* chunks(): AsyncGenerator<ModelChunk> {
    for (const text of parts) yield { text, thinking: '', tool_calls: [] }
    yield { text: '', thinking: '', tool_calls: [], finish: 'stop', usage: { tokens_in: 1, tokens_out: 2 } }
  }
  const all = await Array.fromAsync(readReact(chunks()))
  const joined = (of: 'text' | 'thinking') => all.map((chunk) => chunk[of]).join('')
  return { text: joined('text'), thinking: joined('thinking').trim(), calls: all.flatMap(({ tool_calls }) => tool_calls) }
}

const call = (name: string, args: object) => [{ name, arguments: args }]
const unreadable = (text: string) => ({ unreadable_arguments: text })

test.each([
  ['an answer', 'Thought: I know it.\nFinal Answer: Ten.', { text: 'Ten.', thinking: 'I know it.', calls: [] }],
  [
    'an answer of many lines',
    'Final Answer:\nOne.\n\nAction: none.\n',
    { text: 'One.\n\nAction: none.\n', thinking: '', calls: [] },
  ],
  [
    'an answer without a mark',
    'Finally it is ten.\nThought: no.',
    { text: 'Finally it is ten.\nThought: no.', thinking: '', calls: [] },
  ],
  [
    'a call',
    'Thought: I look.\nAction: search\nAction Input: {"query": "moon"}\n',
    { text: '', thinking: 'I look.', calls: call('search', { query: 'moon' }) },
  ],
  [
    'a call over lines',
    '\n Action: `search`\n\nAction Input: {\n"query":\n"moon"}',
    { calls: call('search', { query: 'moon' }) },
  ],
  ['a call in a fence', 'Action: search\nAction Input: ```json\n{"query":"x"}\n```', { calls: call('search', { query: 'x' }) }],
  ['a call without input', 'Action: now', { calls: call('now', {}) }],
  [
    'a result that the model made up',
    'Action: now\nAction Input: {}\nObservation: noon\nFinal Answer: It is noon.',
    { text: '', calls: call('now', {}) },
  ],
  ['an answer behind a call', 'Action: now\nAction Input: {}\nFinal Answer: Noon.', { text: '', calls: call('now', {}) }],
  ['a second call', 'Action: a\nAction Input: {}\nAction: b\nAction Input: {}', { calls: call('a', {}) }],
  ['no JSON', 'Action: search\nAction Input: query=moon', { calls: call('search', unreadable('query=moon')) }],
  ['no object', 'Action: search\nAction Input: ["moon"]', { calls: call('search', unreadable('["moon"]')) }],
  ['a call that was cut', 'Action: search\nAction Input: {"query": "mo', { calls: call('search', unreadable('{"query": "mo')) }],
  ['only a thought', 'Thought: It must be ten.', { text: 'It must be ten.', calls: [] }],
  ['input without a name', 'Thought: hm\nAction:\nAction Input: {"a":1}', { calls: [] }],
  ['half a mark', 'Final Ans', { text: 'Final Ans', calls: [] }],
  ['nothing', '', { text: '', thinking: '', calls: [] }],
])('%s is read the same, however it is cut', async (_what, text, expected) => {
  expect(await read([text])).toMatchObject(expected)
  expect(await read(text.split(''))).toMatchObject(expected)
  for (let at = 1; at < text.length; at += 1) expect(await read([text.slice(0, at), text.slice(at)])).toMatchObject(expected)
})

test('a call of the model itself stays one', async () => {
  async function* chunks(): AsyncGenerator<ModelChunk> {
    yield { text: 'Thought: hm', thinking: '', tool_calls: [{ name: 'now', arguments: {} }], finish: 'stop' }
  }
  const all = await Array.fromAsync(readReact(chunks()))
  expect(all.flatMap(({ tool_calls }) => tool_calls)).toEqual(call('now', {}))
  expect(all.map(({ text }) => text).join('')).toBe('')
})

test.each([
  ['blanks', ' '.repeat(50)],
  ['an input', 'x'.repeat(50)],
  ['beginnings of marks', '\nAction'],
])('%s without end are read in time that grows with their length', async (_what, part) => {
  const { calls } = await read(['Action: a\nAction Input: ', ...Array.from({ length: 20_000 }, () => part)])
  expect(calls).toHaveLength(1)
})
