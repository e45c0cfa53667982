import Anthropic from '@anthropic-ai/sdk'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { HumanMessage } from '@langchain/core/messages'
import { ChatOpenAI } from '@langchain/openai'
import { startModelServer, type TestModelServer } from '@youworker/test-kit/model-server'
import { APICallError, generateText, Output, streamText, tool } from 'ai'
import OpenAI from 'openai'
import { zodResponseFormat } from 'openai/helpers/zod'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { Person } from './support/person.ts'
import { clientOf } from './support/responses.ts'
import { startTestSystem, type TestSystem } from './support/system.ts'

const PNG = Buffer.concat([Buffer.from('\x89PNG\r\n\x1A\n', 'latin1'), Buffer.alloc(60, 7)]).toString('base64')
/** Ends in half of a character, which begins the next piece. */
const TORN = ['a 👩', '\u200d', '👩\ud83d', '\udc67 e\u0301 日', '本 \ud83c', '\uddeb\ud83c\uddf7', ' \u2028 end']
const WHOLE = TORN.join('')
const LONG_ARGUMENT = '日本語"\\\n'.repeat(4_000)
const USED = { in: 7, out: 3 }

const stack = new AsyncDisposableStack()
let ollama: TestModelServer
let vllm: TestModelServer
let system: TestSystem
let ada: Person
/** The model waits for it before the second piece of a `Wait`. */
let gate: Promise<unknown> = Promise.resolve()

type Asked = TestModelServer['chats'][number]
const messagesOf = ({ body }: Asked) => body.messages as { role: string; content: string }[]

async function* answer(asked: Asked): AsyncGenerator<string | object> {
  const messages = messagesOf(asked)
  const question = messages.findLast(({ role }) => role === 'user')?.content ?? ''
  const isOllama = asked.path === '/api/chat'
  const calls = (...wanted: [name: string, args: object][]) => ({
    tool_calls: wanted.map(([name, args], index) =>
      isOllama
        ? { function: { name, arguments: args } }
        : { index, id: `call_${index}`, type: 'function', function: { name, arguments: JSON.stringify(args) } },
    ),
  })
  if (messages.at(-1)?.role === 'tool')
    return yield `Told: ${messages.flatMap(({ role, content }) => (role === 'tool' ? [content] : [])).join(' / ')}`
  if (question.startsWith('Two cities')) return yield calls(['get_weather', { city: 'Ulm' }], ['get_weather', { city: 'Graz' }])
  if (question.startsWith('Long call')) return yield calls(['get_weather', { city: LONG_ARGUMENT }])
  if (question.startsWith('Torn')) return yield* TORN
  if (question.startsWith('As JSON')) return yield* ['{"ri', 'ver":"Dü', 'na 🙂","km":28', '57}']
  if (question.startsWith('Wait')) {
    yield 'One'
    await gate
    return yield ' two.'
  }
  yield 'Yes.'
}

beforeAll(async () => {
  ollama = stack.use(await startModelServer({ protocol: 'ollama', models: ['m'], capabilities: ['completion', 'tools'], answer }))
  vllm = stack.use(await startModelServer({ protocol: 'openai', models: ['v'], answer }))
  // The agent answers with its model.
  system = stack.use(await startTestSystem({ env: { LLM__OPENAI_BASE_URL: vllm.url } }))
  const backend = { name: 'mine', protocol: 'ollama', base_url: ollama.url }
  expect((await system.root.post('/v1/admin/models/backends', backend)).status).toBe(201)
  ada = await system.newPerson('ada')
}, 120_000)
afterAll(() => stack.disposeAsync())

const user = (content: string) => ({ role: 'user', content }) as const
const anthropicOf = ({ api, key }: Person, more: object = {}) =>
  new Anthropic({ baseURL: api, apiKey: key ?? '', maxRetries: 0, ...more })
const aiOf = ({ api, key }: Person) =>
  createOpenAICompatible({
    name: 'youworker',
    baseURL: `${api}/v1`,
    apiKey: key ?? '',
    includeUsage: true,
    supportsStructuredOutputs: true,
  })
const langchainOf = ({ api, key }: Person, more: object = {}) =>
  new ChatOpenAI({ model: 'm', apiKey: key ?? '', configuration: { baseURL: `${api}/v1` }, maxRetries: 0, ...more })

interface Suite {
  /** Resolves to the text of the answer. */
  readonly ask: (person: Person, model: string, content: string) => Promise<string>
  readonly stream: (person: Person, model: string, content: string, signal?: AbortSignal) => AsyncIterable<string>
  readonly errors: (status: number) => unknown
}

const openAiErrors: Record<number, unknown> = {
  400: OpenAI.BadRequestError,
  401: OpenAI.AuthenticationError,
  403: OpenAI.PermissionDeniedError,
  404: OpenAI.NotFoundError,
  413: OpenAI.APIError,
  429: OpenAI.RateLimitError,
  503: OpenAI.InternalServerError,
}
const SUITES: Record<string, Suite> = {
  'openai, completions': {
    async ask(person, model, content) {
      const answer = await clientOf(person, { maxRetries: 0 }).chat.completions.create({ model, messages: [user(content)] })
      return answer.choices[0]?.message.content ?? ''
    },
    async *stream(person, model, content, signal) {
      const body = { model, messages: [user(content)], stream: true as const }
      for await (const { choices } of await clientOf(person).chat.completions.create(body, { signal }))
        yield choices[0]?.delta.content ?? ''
    },
    errors: (status) => openAiErrors[status],
  },
  'openai, responses': {
    async ask(person, model, input) {
      return (await clientOf(person, { maxRetries: 0 }).responses.create({ model, input })).output_text
    },
    async *stream(person, model, input, signal) {
      for await (const event of await clientOf(person).responses.create({ model, input, stream: true }, { signal }))
        if (event.type === 'response.output_text.delta') yield event.delta
    },
    errors: (status) => openAiErrors[status],
  },
  anthropic: {
    async ask(person, model, content) {
      const answer = await anthropicOf(person).messages.create({ model, max_tokens: 1_000, messages: [user(content)] })
      return answer.content.map((block) => (block.type === 'text' ? block.text : '')).join('')
    },
    async *stream(person, model, content, signal) {
      const body = { model, max_tokens: 1_000, messages: [user(content)], stream: true as const }
      for await (const event of await anthropicOf(person).messages.create(body, { signal }))
        if (event.type === 'content_block_delta' && event.delta.type === 'text_delta') yield event.delta.text
    },
    errors: (status) =>
      ({
        400: Anthropic.BadRequestError,
        401: Anthropic.AuthenticationError,
        403: Anthropic.PermissionDeniedError,
        404: Anthropic.NotFoundError,
        413: Anthropic.APIError,
        429: Anthropic.RateLimitError,
        503: Anthropic.InternalServerError,
      })[status],
  },
  'the AI SDK': {
    async ask(person, model, prompt) {
      return (await generateText({ model: aiOf(person)(model), prompt, maxRetries: 0 })).text
    },
    stream: (person, model, prompt, signal) =>
      streamText({ model: aiOf(person)(model), prompt, ...(signal ? { abortSignal: signal } : {}) }).textStream,
    errors: () => APICallError,
  },
  LangChain: {
    async ask(person, model, content) {
      return (await langchainOf(person, { model }).invoke([new HumanMessage(content)])).text
    },
    async *stream(person, model, content, signal) {
      for await (const { text } of await langchainOf(person, { model }).stream(
        [new HumanMessage(content)],
        signal ? { signal } : {},
      ))
        yield text
    },
    errors: () => Error,
  },
}
const statusOf = (error: unknown): unknown => {
  const { status, statusCode } = { status: undefined, statusCode: undefined, ...(error as object) }
  return status ?? statusCode
}

describe.each(Object.entries(SUITES))('%s', (_, { ask, stream, errors }) => {
  test.each(['m', 'v', 'youworker'])('text of %s that comes in torn characters is whole, in pieces too', async (model) => {
    expect(await ask(ada, model, 'Torn')).toBe(WHOLE)
    const pieces = await Array.fromAsync(stream(ada, model, 'Torn'))
    expect(pieces.join('')).toBe(WHOLE)
    for (const piece of pieces) expect(piece.isWellFormed(), JSON.stringify(piece)).toBe(true)
  })

  test('a stream that is aborted ends at once at the client, and the run goes on', async () => {
    const open = Promise.withResolvers<void>()
    gate = open.promise
    const abort = new AbortController()
    const read = async () => {
      for await (const piece of stream(ada, 'youworker', `Wait ${crypto.randomUUID()}`, abort.signal))
        if (piece !== '') abort.abort()
    }
    // Libraries end the loop or throw.
    await read().catch((error: unknown) => expect(abort.signal.aborted, String(error)).toBe(true))
    expect(abort.signal.aborted).toBe(true)
    open.resolve()
    const [session] = (await ada.get('/v1/sessions?limit=1')).body.sessions
    const last = async () => (await ada.get(`/v1/sessions/${session.id}`)).body.messages.at(-1)
    await expect.poll(last, { timeout: 30_000 }).toMatchObject({ role: 'assistant', content: 'One two.' })
  })

  test('errors are of its classes, with their status and a message that helps', async () => {
    const failure = async (asking: Promise<unknown>) =>
      asking.then(
        () => 'answered',
        (error: unknown) => error,
      )
    const limited = await ada.post('/v1/account/api-keys', { name: `documents ${crypto.randomUUID()}`, scopes: ['documents'] })
    expect(limited.status).toBe(201)
    const cases: [number, Person, string, string][] = [
      [401, new Person(ada.api, ada.id, 'wrong'), 'm', 'Hello'],
      [403, new Person(ada.api, ada.id, limited.body.api_key), 'm', 'Hello'],
      [404, ada, 'no-such-model', 'Hello'],
      [413, ada, 'm', 'x'.repeat(1_200_000)],
    ]
    for (const [status, person, model, content] of cases) {
      const error = await failure(ask(person, model, content))
      expect([status, statusOf(error)]).toEqual([status, status])
      expect(error).toBeInstanceOf(errors(status))
      expect(String((error as Error).message).length).toBeGreaterThan(10)
      const streamed = await failure(Array.fromAsync(stream(person, model, content)))
      // The AI SDK puts errors of a stream into the stream.
      if (streamed instanceof Error) expect([status, statusOf(streamed)]).toEqual([status, status])
    }
  }, 60_000)
})

test('two calls of one turn reach the client with their own ids, and their results the model, in a stream too', async () => {
  const parameters = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] }
  const tools = [{ type: 'function', function: { name: 'get_weather', description: 'The weather', parameters } }] as const
  for (const model of ['m', 'v', 'youworker']) {
    const client = clientOf(ada)
    const body = { model, messages: [user('Two cities')], tools: [...tools] }
    const whole = await client.chat.completions.create(body)
    const streamed = await client.chat.completions.stream(body).finalChatCompletion()
    for (const completion of [whole, streamed]) {
      const message = completion.choices[0]?.message
      const calls = message?.tool_calls ?? []
      expect(calls.map((call) => call.type === 'function' && JSON.parse(call.function.arguments))).toEqual([
        { city: 'Ulm' },
        { city: 'Graz' },
      ])
      expect(new Set(calls.map(({ id }) => id)).size).toBe(2)
      expect(completion.choices[0]?.finish_reason).toBe('tool_calls')
      // Told in the other order.
      const results = calls
        .toReversed()
        .map(({ id }, n) => ({ role: 'tool' as const, tool_call_id: id, content: `${n} degrees` }))
      const next = await client.chat.completions.create({ ...body, messages: [...body.messages, message!, ...results] })
      expect(next.choices[0]?.message.content).toBe('Told: 1 degrees / 0 degrees')
    }

    const anthropic = anthropicOf(ada)
    const asked = {
      model,
      max_tokens: 1_000,
      messages: [user('Two cities')] as Anthropic.MessageParam[],
      tools: [{ name: 'get_weather', input_schema: { type: 'object' as const } }],
    }
    const message = await anthropic.messages.stream(asked).finalMessage()
    const uses = message.content.filter((block) => block.type === 'tool_use')
    expect(uses.map(({ input }) => input)).toEqual([{ city: 'Ulm' }, { city: 'Graz' }])
    const content = uses.map(({ id }, n) => ({ type: 'tool_result' as const, tool_use_id: id, content: `${n} degrees` }))
    const answered = await anthropic.messages.create({
      ...asked,
      messages: [...asked.messages, { role: 'assistant', content: message.content }, { role: 'user', content }],
    })
    expect(answered.content).toMatchObject([{ type: 'text', text: 'Told: 0 degrees / 1 degrees' }])
  }
  const get_weather = tool({ inputSchema: z.object({ city: z.string() }), execute: async ({ city }) => `sunny in ${city}` })
  const looped = streamText({
    model: aiOf(ada)('youworker'),
    prompt: 'Two cities',
    tools: { get_weather },
    stopWhen: ({ steps }) => steps.length > 2 || steps.at(-1)?.finishReason === 'stop',
  })
  expect((await Array.fromAsync(looped.textStream)).join('')).toBe('Told: sunny in Ulm / sunny in Graz')
}, 60_000)

test.each(['m', 'v'])('very long arguments of %s arrive whole by every protocol', async (model) => {
  const parameters = { type: 'object', properties: { city: { type: 'string' } } }
  const tools = [{ type: 'function' as const, function: { name: 'get_weather', parameters } }]
  const client = clientOf(ada)
  const body = { model, messages: [user('Long call')], tools }
  for (const completion of [
    await client.chat.completions.create(body),
    await client.chat.completions.stream(body).finalChatCompletion(),
  ]) {
    const [call] = completion.choices[0]?.message.tool_calls ?? []
    expect(JSON.parse(call?.type === 'function' ? call.function.arguments : '{}').city === LONG_ARGUMENT).toBe(true)
  }
  const asked = {
    model,
    max_tokens: 1_000,
    messages: [user('Long call')],
    tools: [{ name: 'get_weather', input_schema: { type: 'object' as const } }],
  }
  for (const message of [
    await anthropicOf(ada).messages.create(asked),
    await anthropicOf(ada).messages.stream(asked).finalMessage(),
  ]) {
    const use = message.content.find((block) => block.type === 'tool_use')
    expect(JSON.stringify(use?.input) === JSON.stringify({ city: LONG_ARGUMENT })).toBe(true)
  }
})

test('answers in a form of JSON, in a stream', async () => {
  const River = z.object({ river: z.string(), km: z.number() })
  const expected = { river: 'Düna 🙂', km: 2857 }
  for (const model of ['m', 'v', 'youworker']) {
    const runner = clientOf(ada).chat.completions.stream({
      model,
      messages: [user('As JSON')],
      response_format: zodResponseFormat(River, 'river'),
    })
    expect((await runner.finalChatCompletion()).choices[0]?.message.parsed).toEqual(expected)
    const streamed = streamText({ model: aiOf(ada)(model), prompt: 'As JSON', output: Output.object({ schema: River }) })
    const partial = await Array.fromAsync(streamed.partialOutputStream)
    expect(partial.at(-1)).toEqual(expected)
  }
  const sent = [...ollama.chats, ...vllm.chats].filter((asked) => messagesOf(asked).some(({ content }) => content === 'As JSON'))
  for (const { body } of sent) expect(JSON.stringify(body.format ?? body.response_format)).toContain('"km"')
})

test('what the client sets reaches either model server, and a stream has exactly one chunk with the usage, which is exact', async () => {
  const client = clientOf(ada)
  for (const [model, server] of [
    ['m', ollama],
    ['v', vllm],
  ] as const) {
    const body = {
      model,
      messages: [user('Hello')],
      stop: ['END', '\n\n'],
      temperature: 0.5,
      top_p: 0.9,
      seed: 11,
      max_tokens: 77,
    }
    const whole = await client.chat.completions.create(body)
    expect(whole.usage).toMatchObject({ prompt_tokens: USED.in, completion_tokens: USED.out, total_tokens: USED.in + USED.out })
    const sent = server.chats.at(-1)?.body
    expect(sent.options ?? sent).toMatchObject({ stop: ['END', '\n\n'], temperature: 0.5, top_p: 0.9, seed: 11 })
    const chunks = await Array.fromAsync(
      await client.chat.completions.create({ ...body, stream: true, stream_options: { include_usage: true } }),
    )
    const withUsage = chunks.filter(({ usage }) => usage)
    expect(withUsage).toHaveLength(1)
    expect(withUsage[0]).toMatchObject({ choices: [], usage: { prompt_tokens: USED.in, completion_tokens: USED.out } })
    expect(chunks.at(-1)).toBe(withUsage[0])
    const without = await Array.fromAsync(await client.chat.completions.create({ ...body, stream: true }))
    expect(without.filter(({ usage }) => usage)).toEqual([])
    const message = await anthropicOf(ada).messages.create({
      model,
      max_tokens: 77,
      messages: [user('Hello')],
      stop_sequences: ['END'],
    })
    expect(message.usage).toMatchObject({ input_tokens: USED.in, output_tokens: USED.out })
    const last = server.chats.at(-1)?.body
    expect((last.options ?? last).stop).toEqual(['END'])
  }
  const { usage } = await generateText({ model: aiOf(ada)('m'), prompt: 'Hello' })
  expect(usage).toMatchObject({ inputTokens: USED.in, outputTokens: USED.out })
  const message = await langchainOf(ada).invoke('Hello')
  expect(message.usage_metadata).toMatchObject({ input_tokens: USED.in, output_tokens: USED.out })
  for (const asking of [
    client.chat.completions.create({ model: 'm', messages: [user('Hello')], n: 2 }),
    langchainOf(ada, { n: 2 }).invoke('Hello'),
  ])
    await expect(asking).rejects.toMatchObject({ status: 400, message: expect.stringContaining('n must be 1') })
})

test('images for a model that does not see are refused by every library with what to do', async () => {
  const words = /m cannot see images.*vision/
  const url = `data:image/png;base64,${PNG}`
  const parts = [
    { type: 'text' as const, text: 'What is it?' },
    { type: 'image_url' as const, image_url: { url } },
  ]
  const content: Anthropic.ContentBlockParam[] = [
    { type: 'image', source: { type: 'base64', media_type: 'image/png', data: PNG } },
  ]
  const before = ollama.chats.length
  await expect(
    clientOf(ada).chat.completions.create({ model: 'm', messages: [{ role: 'user', content: parts }] }),
  ).rejects.toThrow(words)
  await expect(
    anthropicOf(ada).messages.create({ model: 'm', max_tokens: 9, messages: [{ role: 'user', content }] }),
  ).rejects.toThrow(words)
  await expect(langchainOf(ada).invoke([new HumanMessage({ content: parts })])).rejects.toThrow(words)
  const image = { type: 'image' as const, image: Buffer.from(PNG, 'base64') }
  await expect(
    generateText({ model: aiOf(ada)('m'), messages: [{ role: 'user', content: [image] }], maxRetries: 0 }),
  ).rejects.toThrow(words)
  expect(ollama.chats).toHaveLength(before)
})

test('a session that is answering refuses with a conflict, and too many requests with the time to wait', async () => {
  const { external_id } = (await ada.post('/v1/sessions', { when_busy: 'reject' })).body
  const open = Promise.withResolvers<void>()
  gate = open.promise
  const body = { model: 'youworker', session_id: external_id, messages: [user('Wait here')] }
  const first = await ada.post(
    '/v1/chat',
    { text_input: 'Wait here', session_id: external_id, stream: false },
    { prefer: 'respond-async' },
  )
  expect(first.status).toBe(202)
  const asking = clientOf(ada, { maxRetries: 1 }).chat.completions.create(body)
  await expect(asking).rejects.toBeInstanceOf(OpenAI.ConflictError)
  open.resolve()

  await using strict = await startTestSystem({ env: { SECURITY__RATE_LIMITS: 'on' } })
  const bob = await strict.newPerson('bob')
  const many = () => clientOf(bob, { maxRetries: 0 }).chat.completions.create({ model: 'youworker', messages: [user('Hello')] })
  const other = () => anthropicOf(bob).messages.create({ model: 'youworker', max_tokens: 9, messages: [user('Hello')] })
  const outcomes = await Promise.allSettled(Array.from({ length: 150 }, (_, n) => (n % 2 === 0 ? many() : other())))
  const refused = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
  expect(refused.length).toBeGreaterThanOrEqual(5)
  const classes = [OpenAI.RateLimitError, Anthropic.RateLimitError]
  for (const error of refused)
    expect(
      classes.some((one) => error instanceof one),
      String(error),
    ).toBe(true)
  for (const one of classes) expect(refused.some((error) => error instanceof one)).toBe(true)
  expect(Number(refused[0].headers.get('retry-after'))).toBeGreaterThan(0)
}, 120_000)

test('while the agent is away the libraries are told to ask again, and their own retries begin one run', async () => {
  await using alone = await startTestSystem()
  const bob = await alone.newPerson('bob')
  await alone.running.services['chat-agent'].stop()
  await expect(
    clientOf(bob, { maxRetries: 0 }).chat.completions.create({ model: 'youworker', messages: [user('Hello')] }),
  ).rejects.toMatchObject({
    status: 503,
    code: 'SERVICE_UNAVAILABLE',
  })
  await expect(
    anthropicOf(bob).messages.create({ model: 'youworker', max_tokens: 9, messages: [user('Hello')] }),
  ).rejects.toBeInstanceOf(Anthropic.InternalServerError)
  const asking = clientOf(bob, { maxRetries: 8 }).chat.completions.create({ model: 'youworker', messages: [user('Hello')] })
  await alone.running.services['chat-agent'].start()
  expect((await asking).choices[0]?.message.content).toMatch(/./)
  expect((await bob.get('/v1/tasks?type=chat')).body.total).toBe(1)
}, 120_000)
