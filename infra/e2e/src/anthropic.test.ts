import Anthropic from '@anthropic-ai/sdk'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Person } from './support/person.ts'
import { COUNT, type ProtocolSystem, QUESTION, startProtocolSystem } from './support/protocol-system.ts'

let protocol: ProtocolSystem
let ada: Person
let client: Anthropic
beforeAll(async () => {
  const weather = { name: 'get_weather', arguments: { city: 'Ulm' } }
  protocol = await startProtocolSystem([
    { match: { contains: 'weather', last_role: 'user' }, reply: { text: '', tool_calls: [weather] } },
  ])
  ada = protocol.ada
  client = new Anthropic({ baseURL: ada.api, apiKey: ada.key ?? '' })
}, 120_000)
afterAll(() => protocol?.[Symbol.asyncDispose]())

const user = (content: string) => ({ role: 'user', content }) as const
const usual = { model: 'youworker', max_tokens: 1_000 } as const
const textOf = ({ content }: Anthropic.Message) => content.map((block) => (block.type === 'text' ? block.text : '')).join('')

test('the agent answers from the documents of who asks, and says where from', async () => {
  const answer = await client.messages.create({ ...usual, messages: [user(QUESTION)] })
  expect(answer).toMatchObject({ type: 'message', role: 'assistant', model: 'youworker', stop_reason: 'end_turn' })
  expect(textOf(answer)).toContain('ten countries')
  expect(answer).toMatchObject({ citations: [{ index: 1, title: 'Rivers' }] })
  expect(answer.usage.output_tokens).toBeGreaterThan(0)
})

test('a stream brings the same text in pieces, then why it ended and the usage', async () => {
  const stream = client.messages.stream({ ...usual, messages: [user('Count to forty')] })
  const pieces: string[] = []
  stream.on('text', (piece) => pieces.push(piece))
  const answer = await stream.finalMessage()
  expect(pieces.length).toBeGreaterThan(5)
  expect([pieces.join(''), textOf(answer)]).toEqual([COUNT, COUNT])
  expect(answer).toMatchObject({ stop_reason: 'end_turn', usage: { output_tokens: expect.any(Number) } })
  const short = await client.messages.create({ model: 'youworker-offline', max_tokens: 5, messages: [user('Count')] })
  expect([short.stop_reason, textOf(short)]).toEqual(['max_tokens', COUNT.slice(0, 9)])
})

test('a model itself gets the messages as they are', async () => {
  const messages: Anthropic.MessageParam[] = [
    user('Hello'),
    { role: 'assistant', content: [{ type: 'text', text: 'Hello!' }] },
    { role: 'user', content: [{ type: 'text', text: 'Repeat the conversation' }] },
  ]
  const system = [{ type: 'text', text: 'Be brief.' }] as const
  const answer = await client.messages.create({ model: 'youworker-offline', max_tokens: 99, system: [...system], messages })
  expect(JSON.parse(textOf(answer))).toEqual([
    { role: 'system', content: 'Be brief.' },
    user('Hello'),
    { role: 'assistant', content: 'Hello!' },
    user('Repeat the conversation'),
  ])
})

test('what Claude Code sends beside it is taken: later system messages, tools with long descriptions', async () => {
  const asked = {
    model: 'youworker-offline',
    max_tokens: 99,
    messages: [
      { role: 'user', content: [{ type: 'text', text: 'Repeat the conversation', cache_control: { type: 'ephemeral' } }] },
      { role: 'system', content: 'Agents: none.' },
    ],
    tools: [{ ...WEATHER, description: 'x'.repeat(40_000) }],
    thinking: { type: 'adaptive' },
    context_management: { edits: [{ type: 'clear_thinking_20251015', keep: 'all' }] },
    output_config: { effort: 'high' },
    metadata: { user_id: '{}' },
  }
  const { status, body } = await ada.post('/v1/messages?beta=true', asked)
  expect([status, JSON.parse(body.content[0].text)]).toEqual([
    200,
    [{ role: 'system', content: 'Agents: none.' }, user('Repeat the conversation')],
  ])
})

const WEATHER = { name: 'get_weather', description: 'The weather', input_schema: { type: 'object', properties: {} } } as const

test('tools that the client runs, whole and in a stream', async () => {
  const messages: Anthropic.MessageParam[] = [user('What is the weather in Ulm?')]
  const first = await client.messages.create({ ...usual, messages, tools: [WEATHER] })
  const called = { type: 'tool_use', id: expect.any(String), name: 'get_weather', input: { city: 'Ulm' } }
  expect(first).toMatchObject({ stop_reason: 'tool_use', content: [called] })
  const streamed = await client.messages.stream({ ...usual, messages, tools: [WEATHER] }).finalMessage()
  expect(streamed).toMatchObject({ stop_reason: 'tool_use', content: [called] })
  const [call] = first.content
  const result = { type: 'tool_result', tool_use_id: call?.type === 'tool_use' ? call.id : '', content: 'Sunny' } as const
  const after: Anthropic.MessageParam[] = [
    ...messages,
    { role: 'assistant', content: first.content },
    { role: 'user', content: [result] },
  ]
  const second = await client.messages.create({ ...usual, messages: after, tools: [WEATHER] })
  expect(JSON.parse(textOf(second)).slice(1)).toEqual([
    user('What is the weather in Ulm?'),
    { role: 'assistant', content: '' },
    { role: 'tool', content: 'Sunny' },
  ])
})

test('tokens are counted without an answer', async () => {
  const few = await client.messages.countTokens({ model: 'youworker', messages: [user('Hello')] })
  const more = await client.messages.countTokens({ model: 'youworker', system: COUNT, messages: [user(COUNT)], tools: [WEATHER] })
  expect(few.input_tokens).toBeGreaterThan(0)
  expect(more.input_tokens).toBeGreaterThan(few.input_tokens + 50)
})

test("what is not served is refused, and errors are of the library's classes", async () => {
  const file = { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'AA==' } } as const
  const asking = (content: Anthropic.MessageParam['content']) =>
    client.messages.create({ ...usual, messages: [{ role: 'user', content }] })
  await expect(asking([file])).rejects.toBeInstanceOf(Anthropic.BadRequestError)
  await expect(asking('Fail')).rejects.toMatchObject({ status: 502 })
  const stream = client.messages.stream({ ...usual, messages: [user('Fail')] })
  await expect(stream.finalMessage()).rejects.toBeInstanceOf(Anthropic.APIError)
  const stranger = new Anthropic({ baseURL: ada.api, apiKey: 'wrong', maxRetries: 0 })
  await expect(stranger.messages.create({ ...usual, messages: [user('Hi')] })).rejects.toBeInstanceOf(
    Anthropic.AuthenticationError,
  )
})
