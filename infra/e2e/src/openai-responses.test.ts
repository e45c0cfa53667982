import OpenAI from 'openai'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Person } from './support/person.ts'
import { COUNT, type ProtocolSystem, QUESTION, startProtocolSystem } from './support/protocol-system.ts'
import { agent, clientOf, numbersOf, raw, seenBy, shapeOf, WEATHER } from './support/responses.ts'

/** Its events at the end are larger than one message of NATS, and than what may wait for a slow reader. */
const LONG = Array.from({ length: 45_000 }, (_, n) => String.fromCharCode(0x4e00 + (n % 5_000))).join(' ')
const callWith = (length: number) => ({
  text: '',
  tool_calls: [{ name: 'get_weather', arguments: { city: '界'.repeat(length) } }],
})

let protocol: ProtocolSystem
let ada: Person
let client: OpenAI
beforeAll(async () => {
  protocol = await startProtocolSystem([
    { match: { contains: 'Be long' }, reply: { text: LONG } },
    { match: { contains: 'Call with much' }, reply: callWith(30_000) },
    { match: { contains: 'Call with too much' }, reply: callWith(180_000) },
  ])
  ada = protocol.ada
  client = clientOf(ada)
}, 120_000)
afterAll(() => protocol?.[Symbol.asyncDispose]())

test('the agent answers from the documents of who asks, and says where from', async () => {
  const answer = await client.responses.create({ ...agent, input: QUESTION })
  expect(answer).toMatchObject({
    id: expect.stringMatching(/^resp_/),
    object: 'response',
    status: 'completed',
    model: 'youworker',
    error: null,
    incomplete_details: null,
    output: [{ type: 'message', role: 'assistant', status: 'completed' }],
    citations: [{ index: 1, title: 'Rivers' }],
  })
  expect(answer.output_text).toContain('ten countries')
  const [message] = answer.output
  const part = message?.type === 'message' && message.content[0]?.type === 'output_text' ? message.content[0] : undefined
  const { filename, index } = { filename: '', index: 0, ...part?.annotations[0] }
  expect([filename, answer.output_text.slice(index, index + 3)]).toEqual(['river.md', '[1]'])
  const { input_tokens = 0, output_tokens = 0, total_tokens } = answer.usage ?? {}
  expect([output_tokens > 0, total_tokens]).toEqual([true, input_tokens + output_tokens])
  expect(Date.now() / 1_000 - answer.created_at).toBeLessThan(600)
  expect(answer.completed_at).toBeGreaterThanOrEqual(answer.created_at)
})

test('a stream brings the same answer in the events of the protocol, numbered without gaps', async () => {
  const events = await Array.fromAsync(await client.responses.create({ ...agent, input: QUESTION, stream: true }))
  expect(numbersOf(events)).toEqual(events.map((_, n) => n))
  expect(shapeOf(events)).toEqual([
    'response.created',
    'response.in_progress',
    'response.output_item.added',
    'response.content_part.added',
    'response.output_text.delta',
    'response.output_text.annotation.added',
    'response.output_text.done',
    'response.content_part.done',
    'response.output_item.done',
    'response.completed',
  ])
  const text = events.flatMap((event) => (event.type === 'response.output_text.delta' ? [event.delta] : [])).join('')
  const last = events.at(-1)
  expect(last).toMatchObject({ response: { status: 'completed', output: [{ content: [{ text }] }] } })
  expect(text).toContain('ten countries')
})

test("the library's own reader of streams reads it", async () => {
  const seen: string[] = []
  const stream = client.responses.stream({ ...agent, input: 'Count to sixty' })
  stream.on('response.output_text.delta', ({ delta }) => void seen.push(delta))
  const answer = await stream.finalResponse()
  expect(seen.length).toBeGreaterThan(1)
  expect([seen.join(''), answer.output_text]).toEqual([COUNT, COUNT])
})

test('a model itself gets the items as they are, and the client sets how it writes', async () => {
  const input: OpenAI.Responses.ResponseInput = [
    { role: 'developer', content: 'Be kind.' },
    { role: 'user', content: 'Hello' },
    {
      type: 'message',
      role: 'assistant',
      id: 'msg_1',
      status: 'completed',
      content: [{ type: 'output_text', text: 'Hello!', annotations: [] }],
    },
    {
      role: 'user',
      content: [
        { type: 'input_text', text: 'Repeat the ' },
        { type: 'input_text', text: 'conversation' },
      ],
    },
  ]
  const asked = { ...raw, instructions: 'Be brief.', metadata: { case: '7' }, temperature: 0.5, top_p: 0.9, user: 'ada', input }
  const answer = await client.responses.create(asked)
  expect(seenBy(answer)).toEqual([
    { role: 'system', content: 'Be brief.\n\nBe kind.' },
    { role: 'user', content: 'Hello' },
    { role: 'assistant', content: 'Hello!' },
    { role: 'user', content: 'Repeat the conversation' },
  ])
  expect(answer).toMatchObject({ instructions: 'Be brief.', metadata: { case: '7' }, temperature: 0.5, top_p: 0.9, user: 'ada' })
  const short = await client.responses.create({ ...raw, input: 'Count', max_output_tokens: 5 })
  expect(short).toMatchObject({
    status: 'incomplete',
    incomplete_details: { reason: 'max_output_tokens' },
    output: [{ status: 'incomplete', content: [{ text: COUNT.slice(0, 9) }] }],
    max_output_tokens: 5,
  })
  const events = await Array.fromAsync(
    await client.responses.create({ ...raw, input: 'Count', max_output_tokens: 5, stream: true }),
  )
  expect(events.at(-1)).toMatchObject({ type: 'response.incomplete', response: { status: 'incomplete' } })
})

test.each(['youworker', 'youworker-offline'])('%s calls tools that the client runs, whole and in a stream', async (model) => {
  const question = { role: 'user', content: 'What is the weather in Ulm?' } as const
  const called = { type: 'function_call', name: 'get_weather', arguments: '{"city":"Ulm"}', status: 'completed' }
  const first = await client.responses.create({ model, input: [question], tools: [WEATHER] })
  expect(first).toMatchObject({ status: 'completed', output_text: 'I will look.', tools: [WEATHER] })
  const [message, call] = first.output
  expect(call).toMatchObject(called)
  if (message?.type !== 'message' || call?.type !== 'function_call') throw new Error('no call')
  const second = await client.responses.create({
    model,
    tools: [WEATHER],
    input: [question, message, call, { type: 'function_call_output', call_id: call.call_id, output: 'Sunny' }],
  })
  expect(seenBy(second).slice(-3)).toEqual([
    question,
    { role: 'assistant', content: 'I will look.' },
    { role: 'tool', content: 'Sunny' },
  ])
  const events = await Array.fromAsync(
    await client.responses.create({ model, input: [question], tools: [WEATHER], stream: true }),
  )
  expect(numbersOf(events)).toEqual(events.map((_, n) => n))
  expect(shapeOf(events).slice(-8)).toEqual([
    'response.output_text.done',
    'response.content_part.done',
    'response.output_item.done',
    'response.output_item.added',
    'response.function_call_arguments.delta',
    'response.function_call_arguments.done',
    'response.output_item.done',
    'response.completed',
  ])
  expect(events.at(-1)).toMatchObject({ response: { output: [{ type: 'message' }, called] } })
  const parsed = await client.responses.stream({ model, input: [question], tools: [WEATHER] }).finalResponse()
  expect(parsed.output.at(-1)).toMatchObject(called)
})

test('the client chooses among its tools', async () => {
  const ask = async (tool_choice: OpenAI.Responses.ToolChoiceAllowed | 'none') => {
    const asked = { ...raw, input: 'Repeat the conversation', tools: [WEATHER, { ...WEATHER, name: 'other' }], tool_choice }
    return client.responses.create(asked)
  }
  const chosen = {
    type: 'allowed_tools',
    mode: 'auto',
    tools: [{ type: 'function', name: 'other' }],
  } satisfies OpenAI.Responses.ToolChoiceAllowed
  expect(await ask(chosen)).toMatchObject({
    status: 'completed',
    tool_choice: chosen,
    tools: [{ name: 'get_weather' }, { name: 'other' }],
  })
  expect(await ask('none')).toMatchObject({ tool_choice: 'none' })
})

test('answers have the form that is asked for', async () => {
  const schema = { type: 'object', properties: { n: { type: 'number' } }, required: ['n'], additionalProperties: false }
  const format = { type: 'json_schema', name: 'answer', schema, strict: true } as const
  const answer = await client.responses.create({ ...raw, input: 'Repeat the conversation', text: { format } })
  expect(answer.text?.format).toMatchObject(format)
})

test('what is not served is refused with the field that asks for it', async () => {
  const ask = (more: object) =>
    client.responses.create({ ...agent, input: 'Hello', ...more }).then(
      () => 'answered',
      (error: InstanceType<typeof OpenAI.APIError>) => [error.status, error.param, error.code],
    )
  const refused = (field: string) => [400, field, 'VALIDATION_ERROR']
  const file = { type: 'input_file', file_data: 'AA==' }
  const image = { type: 'input_image', file_id: 'file-1', detail: 'auto' }
  expect(await ask({ input: [{ role: 'user', content: [file] }] })).toEqual(refused('input.0'))
  expect(await ask({ input: [{ role: 'user', content: [image] }] })).toEqual(refused('input.0'))
  expect(await ask({ input: [{ type: 'function_call_output', call_id: 'none', output: '1' }] })).toEqual(refused('input'))
  expect(await ask({ input: [{ type: 'computer_call_output', call_id: 'x' }] })).toEqual(refused('input.0'))
  expect(await ask({ input: '' })).toEqual(refused('input'))
  expect(await ask({ tools: [{ type: 'web_search' }] })).toEqual(refused('tools.0'))
  expect(await ask({ tools: [WEATHER], tool_choice: { type: 'file_search' } })).toEqual(refused('tool_choice'))
  expect(await ask({ prompt: { id: 'pmpt_1' } })).toEqual(refused('prompt'))
  expect(await ask({ background: true, store: false })).toEqual(refused('background'))
  expect(await ask({ top_logprobs: 3 })).toEqual(refused('top_logprobs'))
  expect(await ask({ temperature: 3 })).toEqual(refused('temperature'))
  expect(await ask({ metadata: Object.fromEntries(Array.from({ length: 17 }, (_, n) => [`${n}`, ''])) })).toEqual(
    refused('metadata'),
  )
  expect(await ask({ previous_response_id: 'resp_none' })).toEqual([404, null, 'RUN_NOT_FOUND'])
  expect(await ask({ conversation: 'none' })).toEqual([404, null, 'SESSION_NOT_FOUND'])
})

test("errors are of the library's classes, and what has failed is not begun anew", async () => {
  const stranger = clientOf(ada, { apiKey: 'wrong', maxRetries: 0 })
  await expect(stranger.responses.create({ ...agent, input: 'x' })).rejects.toBeInstanceOf(OpenAI.AuthenticationError)
  const runs = async () => (await ada.get('/v1/tasks?type=chat')).body.total as number
  const before = await runs()
  const failing = client.responses.create({ ...agent, input: 'Fail' })
  await expect(failing).rejects.toMatchObject({ status: 502, code: 'LLM_ERROR', requestID: expect.any(String) })
  expect(await runs()).toBe(before + 1)
  const events = await Array.fromAsync(await client.responses.create({ ...agent, input: 'Fail', stream: true }))
  expect(shapeOf(events)).toEqual(['response.created', 'response.in_progress', 'response.failed'])
  expect(events.at(-1)).toMatchObject({
    response: { status: 'failed', error: { code: 'server_error', message: expect.any(String) } },
  })
})

test('the longest answer arrives whole', async () => {
  const answer = await client.responses.stream({ ...raw, input: 'Be long' }).finalResponse()
  expect(answer.output_text.length).toBe(LONG.length)
  expect(answer.output_text === LONG).toBe(true)
})

test('a call fits into what one event may hold, or fails with the reason', async () => {
  const much = await client.responses.create({ ...raw, input: 'Call with much', tools: [WEATHER] })
  expect(much.output).toMatchObject([{ type: 'function_call', arguments: JSON.stringify({ city: '界'.repeat(30_000) }) }])
  expect(await client.responses.retrieve(much.id)).toEqual(much)
  const tooMuch = client.responses.create({ ...raw, input: 'Call with too much', tools: [WEATHER] })
  await expect(tooMuch).rejects.toMatchObject({ status: 502, message: expect.stringContaining('get_weather') })
})
