import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import OpenAI from 'openai'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Person } from './support/person.ts'
import { COUNT, expectAiSdkWorks, type ProtocolSystem, QUESTION, startProtocolSystem } from './support/protocol-system.ts'
import { clientOf } from './support/responses.ts'
import { startTestSystem } from './support/system.ts'

let protocol: ProtocolSystem
let ada: Person
let client: OpenAI
beforeAll(async () => {
  protocol = await startProtocolSystem()
  ada = protocol.ada
  client = clientOf(ada)
}, 120_000)
afterAll(() => protocol?.[Symbol.asyncDispose]())

const user = (content: string) => ({ role: 'user', content }) as const

test('the models are the agent and each model itself', async () => {
  const models = await Array.fromAsync(client.models.list())
  expect(models.map(({ id }) => id)).toEqual(['youworker', 'youworker-offline'])
  expect(models[1]).toMatchObject({ object: 'model', capabilities: expect.arrayContaining(['tools']), loaded: true })
  expect(await client.models.retrieve('youworker')).toMatchObject({ id: 'youworker', owned_by: 'youworker' })
  await expect(client.models.retrieve('nothing')).rejects.toBeInstanceOf(OpenAI.NotFoundError)
})

test('the agent answers from the documents of who asks, and says where from', async () => {
  const answer = await client.chat.completions.create({ model: 'youworker', messages: [user(QUESTION)] })
  expect(answer).toMatchObject({
    id: expect.stringMatching(/^chatcmpl-/),
    object: 'chat.completion',
    model: 'youworker',
    choices: [
      { index: 0, message: { role: 'assistant', content: expect.stringContaining('ten countries') }, finish_reason: 'stop' },
    ],
    citations: [{ index: 1, title: 'Rivers' }],
  })
  expect(answer._request_id).toMatch(/.+/)
  const { prompt_tokens, completion_tokens, total_tokens } = answer.usage ?? {}
  expect(total_tokens).toBe((prompt_tokens ?? 0) + (completion_tokens ?? 0))
  expect(completion_tokens).toBeGreaterThan(0)
})

test('a stream brings the same text in pieces, then why it ended, then the usage', async () => {
  const stream = await client.chat.completions.create({
    model: 'youworker',
    messages: [user('Count to sixty')],
    stream: true,
    stream_options: { include_usage: true },
  })
  const chunks = await Array.fromAsync(stream)
  expect(new Set(chunks.map(({ id }) => id)).size).toBe(1)
  expect(chunks[0]?.choices[0]?.delta).toEqual({ role: 'assistant', content: '' })
  const pieces = chunks.flatMap(({ choices }) => choices[0]?.delta.content ?? [])
  expect(pieces.length).toBeGreaterThan(5)
  expect(pieces.join('')).toBe(COUNT)
  expect(chunks.flatMap(({ choices }) => choices[0]?.finish_reason ?? [])).toEqual(['stop'])
  expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { completion_tokens: expect.any(Number) } })
  expect(chunks.slice(0, -1).every(({ usage }) => usage === null)).toBe(true)
})

test("the library's own reader of streams reads it", async () => {
  const runner = client.chat.completions.stream({ model: 'youworker', messages: [user('Count to sixty')] })
  expect(await runner.finalContent()).toBe(COUNT)
})

test('a model itself gets the messages as they are, and the client sets how it writes', async () => {
  const messages: OpenAI.ChatCompletionMessageParam[] = [
    { role: 'system', content: 'Be brief.' },
    user('Hello'),
    { role: 'assistant', content: 'Hello!' },
    {
      role: 'user',
      content: [
        { type: 'text', text: 'Repeat the ' },
        { type: 'text', text: 'conversation' },
      ],
    },
  ]
  const answer = await client.chat.completions.create({ model: 'youworker-offline', messages })
  expect(JSON.parse(answer.choices[0]?.message.content ?? '')).toEqual([
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'Hello' },
    { role: 'assistant', content: 'Hello!' },
    { role: 'user', content: 'Repeat the conversation' },
  ])
  const agent = await client.chat.completions.create({ model: 'youworker', messages })
  const [system] = JSON.parse(agent.choices[0]?.message.content ?? '') as { content: string }[]
  expect(system?.content).toMatch(/^You are YouWorker[^]*\n\nBe brief\.$/)
  const short = await client.chat.completions.create({ model: 'youworker', messages: [user('Count')], max_completion_tokens: 5 })
  expect(short.choices[0]).toMatchObject({ finish_reason: 'length', message: { content: COUNT.slice(0, 9) } })
})

test('what is not served is refused with the field that asks for it', async () => {
  const ask = (more: object) =>
    client.chat.completions.create({ model: 'youworker', messages: [user('Hello')], ...more }).then(
      () => 'answered',
      (error: InstanceType<typeof OpenAI.APIError>) => [error.status, error.param, error.code],
    )
  const sound = { role: 'user', content: [{ type: 'input_audio', input_audio: { data: 'AA==', format: 'wav' } }] }
  expect(await ask({ n: 2 })).toEqual([400, 'n', 'VALIDATION_ERROR'])
  expect(await ask({ messages: [user('x'), { role: 'tool', content: '1', tool_call_id: 'none' }] })).toEqual([
    400,
    'messages.1.tool_call_id',
    'VALIDATION_ERROR',
  ])
  expect(await ask({ messages: [sound] })).toEqual([400, 'messages.0.content', 'VALIDATION_ERROR'])
  expect(await ask({ messages: [{ role: 'system', content: 'x' }] })).toEqual([400, 'messages', 'VALIDATION_ERROR'])
  expect(await ask({ temperature: 3 })).toEqual([400, 'temperature', 'VALIDATION_ERROR'])
})

const WEATHER = {
  type: 'function',
  function: {
    name: 'get_weather',
    description: 'The weather of a city',
    parameters: { type: 'object', properties: { city: { type: 'string' } } },
  },
} as const

test.each(['youworker', 'youworker-offline'])('%s calls tools that the client runs, whole and in a stream', async (model) => {
  const messages: OpenAI.ChatCompletionMessageParam[] = [
    { role: 'system', content: 'Be kind.' },
    user('What is the weather in Ulm?'),
  ]
  const called = { name: 'get_weather', arguments: '{"city":"Ulm"}' }
  const first = await client.chat.completions.create({ model, messages, tools: [WEATHER] })
  const choice = first.choices[0]
  if (!choice) throw new Error('no answer')
  expect(choice).toMatchObject({
    finish_reason: 'tool_calls',
    message: { content: 'I will look.', tool_calls: [{ function: called }] },
  })
  const [call] = choice.message.tool_calls ?? []
  const result = { role: 'tool', tool_call_id: call?.id ?? '', content: 'Sunny' } as const
  const second = await client.chat.completions.create({
    model,
    tools: [WEATHER],
    messages: [...messages, choice.message, result],
  })
  const seen = JSON.parse(second.choices[0]?.message.content ?? '') as { role: string; content: string }[]
  expect(seen.slice(1)).toEqual([
    user('What is the weather in Ulm?'),
    { role: 'assistant', content: 'I will look.' },
    { role: 'tool', content: 'Sunny' },
  ])
  const streamed = await client.chat.completions.stream({ model, messages, tools: [WEATHER] }).finalChatCompletion()
  expect(streamed.choices[0]).toMatchObject({ finish_reason: 'tool_calls', message: { tool_calls: [{ function: called }] } })
})

test("the library's own loop runs tools to the answer", async () => {
  const asked: unknown[] = []
  const runner = client.chat.completions.runTools({
    model: 'youworker',
    messages: [user('What is the weather in Ulm?')],
    tools: [
      {
        type: 'function',
        function: {
          ...WEATHER.function,
          parse: JSON.parse,
          function: async (args: unknown) => {
            asked.push(args)
            return 'Sunny'
          },
        },
      },
    ],
  })
  expect(JSON.parse((await runner.finalContent()) ?? '').at(-1)).toEqual({ role: 'tool', content: 'Sunny' })
  expect(asked).toEqual([{ city: 'Ulm' }])
})

test('the AI SDK asks, streams and runs tools', async () => {
  const provider = createOpenAICompatible({ name: 'youworker', baseURL: `${ada.api}/v1`, apiKey: ada.key ?? '' })
  await expectAiSdkWorks(provider('youworker'))
})

test("errors are of the library's classes", async () => {
  const stranger = new OpenAI({ baseURL: `${ada.api}/v1`, apiKey: 'wrong', maxRetries: 0 })
  await expect(stranger.models.list()).rejects.toBeInstanceOf(OpenAI.AuthenticationError)
  const asking = { model: 'youworker', messages: [user('Fail')] }
  const runs = async () => (await ada.get('/v1/tasks?type=chat')).body.total as number
  const before = await runs()
  await expect(client.chat.completions.create(asking)).rejects.toMatchObject({ status: 502, code: 'LLM_ERROR' })
  // The library repeats a 5xx, but not one that says that a run was begun.
  expect(await runs()).toBe(before + 1)
  const streaming = await client.chat.completions.create({ ...asking, stream: true })
  await expect(Array.fromAsync(streaming)).rejects.toMatchObject({ code: 'LLM_ERROR' })
})

test('a client that goes on in a session sends only the new message', async () => {
  const first = await ada.post('/v1/chat/completions', { model: 'youworker', messages: [user('Hello')] })
  const more = { model: 'youworker-offline', session_id: first.body.session_id }
  const second = await ada.post('/v1/chat/completions', { ...more, messages: [user('Repeat the conversation')] })
  const seen = JSON.parse(second.body.choices[0].message.content) as { content: string }[]
  expect(seen[0]).toMatchObject({ role: 'user', content: 'Hello' })
  expect(second.body.session_id).toBe(first.body.session_id)
})

test('an aborted stream ends at the client, and its answer is whole in the session', async () => {
  const abort = new AbortController()
  const stream = await client.chat.completions.create(
    { model: 'youworker', messages: [user('Count to sixty')], stream: true },
    { signal: abort.signal },
  )
  let run: string | undefined
  for await (const chunk of stream) {
    run = chunk.id.replace('chatcmpl-', '')
    if (chunk.choices[0]?.delta.content) abort.abort()
  }
  await expect.poll(async () => (await ada.get(`/v1/runs/${run}`)).body.status, { timeout: 30_000 }).toBe('success')
})

test('vectors of texts are those of the search, as numbers and in base64', async () => {
  const input = ['The Danube', 'A river']
  const packed = await client.embeddings.create({ model: 'youworker', input })
  const plain = await client.embeddings.create({ model: packed.model, input, encoding_format: 'float' })
  expect(packed.data.map(({ index }) => index)).toEqual([0, 1])
  for (const [index, { embedding }] of plain.data.entries()) {
    expect(embedding.length).toBeGreaterThan(100)
    embedding.forEach((number, at) => expect(packed.data[index]?.embedding[at]).toBeCloseTo(number, 6))
  }
  expect(plain.usage.prompt_tokens).toBeGreaterThan(0)
  const many = await client.embeddings.create({ model: 'youworker', input: Array.from({ length: 40 }, (_, n) => `text ${n}`) })
  expect(many.data).toHaveLength(40)
  await expect(client.embeddings.create({ model: 'other', input })).rejects.toMatchObject({ status: 400, param: 'model' })
})

test("a system answers from another one that it knows only by OpenAI's protocol", async () => {
  const env = { LLM__OPENAI_BASE_URL: `${ada.api}/v1`, LLM__OPENAI_API_KEY: ada.key ?? '', LLM__CHAT_MODEL: 'youworker-offline' }
  await using second = await startTestSystem({ env })
  const ben = await second.newPerson('ben')
  const { done } = await ben.chat('Count to sixty')
  expect(done).toMatchObject({ content: COUNT, metadata: { status: 'success', model: 'youworker-offline' } })
  expect((await ada.get('/v1/sessions')).body.sessions[0].title).toBe('Count to sixty')
  const models = await Array.fromAsync(clientOf(ben).models.list())
  expect(models.map(({ id }) => id)).toEqual(['youworker', 'youworker-offline'])
}, 60_000)
