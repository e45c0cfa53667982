import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { afterEach, expect, test } from 'vitest'
import type { ModelChunk, ModelMessage, ModelRequest } from '../services/models/model-port.ts'
import { OpenAiModel } from './openai-model.ts'

interface Seen {
  readonly path: string | undefined
  readonly key: string | undefined
  readonly body: unknown
}

const stack: AsyncDisposable[] = []
afterEach(async () => {
  for (const one of stack.splice(0)) await one[Symbol.asyncDispose]()
})

/** A server with OpenAI's protocol. `chat` answers the n-th request for an answer. */
async function serve(...chat: ((response: ServerResponse) => void)[]) {
  const seen: Seen[] = []
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const body = request.method === 'POST' ? await json(request) : undefined
    seen.push({ path: request.url, key: request.headers.authorization, body })
    if (request.url === '/v1/models')
      return void response.end(
        JSON.stringify({
          object: 'list',
          data: [{ id: 'embedder' }, { id: 'm', max_model_len: 2_048 }, { id: 'n', created: 1_700_000_000 }],
        }),
      )
    const asked = seen.filter(({ path }) => path === '/v1/chat/completions').length
    chat[Math.min(asked, chat.length) - 1]?.(response)
  }
  const server = createServer((request, response) => void answer(request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  stack.push({
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
    },
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/`
  return { seen, model: new OpenAiModel({ name: 'test', url, apiKey: 'secret', contextTokens: 4_096, stallMs: 2_000 }) }
}

const events = (...parts: (object | string)[]) =>
  parts.map((part) => (typeof part === 'string' ? `${part}\n\n` : `data: ${JSON.stringify(part)}\n\n`)).join('')
const delta = (value: object, finish_reason: string | null = null) => ({ choices: [{ index: 0, delta: value, finish_reason }] })
const says =
  (...parts: (object | string)[]) =>
  (response: ServerResponse) =>
    void response.writeHead(200, { 'content-type': 'text/event-stream' }).end(events(...parts))

const never = new AbortController().signal
const ask = (model: OpenAiModel, more: Partial<ModelRequest> = {}): Promise<ModelChunk[]> =>
  Array.fromAsync(
    model.chat({
      model: { name: 'm', tools: true, context: 2_048 },
      messages: [{ role: 'user', content: 'Hi' }],
      tools: [],
      parameters: {},
      signal: never,
      onWaiting: () => {},
      ...more,
    }),
  )
const textOf = (chunks: readonly ModelChunk[]) => chunks.map(({ text }) => text).join('')

test('the default model is the first that can chat; a window that the server tells wins', async () => {
  const { model, seen } = await serve()
  expect(await model.defaultModel(never)).toBe('m')
  expect(await model.describe('m', never)).toEqual({ name: 'm', tools: true, context: 2_048 })
  expect(await model.describe('n', never)).toMatchObject({ name: 'n', context: 4_096 })
  await expect(model.describe('other', never)).rejects.toMatchObject({ failure: 'unknown_model' })
  expect((await model.list(never)).map(({ id, created_at }) => [id, created_at])).toEqual([
    ['m', '1970-01-01T00:00:00.000Z'],
    ['n', '2023-11-14T22:13:20.000Z'],
  ])
  expect(await model.check()).toEqual(['embedder', 'm', 'n'])
  expect(seen[0]).toMatchObject({ path: '/v1/models', key: 'Bearer secret' })
})

test('an answer comes in parts, with its end and what the server counted', async () => {
  const { model, seen } = await serve(
    says(
      delta({ role: 'assistant', content: '' }),
      delta({ reasoning_content: 'Hm.' }),
      delta({ content: 'Good ' }),
      ': a comment',
      delta({ content: 'day' }),
      delta({}, 'length'),
      { choices: [], usage: { prompt_tokens: 5, completion_tokens: 2 } },
      'data: [DONE]',
    ),
  )
  const parameters = { temperature: 0.5, max_tokens: 2, stop: ['x'], format: 'json' } as const
  const chunks = await ask(model, { parameters: { ...parameters, stop: [...parameters.stop] } })
  expect(textOf(chunks)).toBe('Good day')
  expect(chunks.map(({ thinking }) => thinking).join('')).toBe('Hm.')
  expect(chunks.at(-1)).toMatchObject({ finish: 'length', usage: { tokens_in: 5, tokens_out: 2 } })
  expect(seen.at(-1)?.body).toEqual({
    model: 'm',
    messages: [{ role: 'user', content: 'Hi' }],
    stream: true,
    stream_options: { include_usage: true },
    temperature: 0.5,
    max_tokens: 2,
    stop: ['x'],
    response_format: { type: 'json_object' },
  })
})

test('of the parameters, those that the protocol knows are sent', async () => {
  const { model, seen } = await serve(says(delta({ content: 'Yes' }, 'stop'), 'data: [DONE]'))
  for (const think of ['high', 'off'] as const) await ask(model, { parameters: { think, num_ctx: 1_024, keep_alive: '5m' } })
  const common = {
    model: 'm',
    messages: [{ role: 'user', content: 'Hi' }],
    stream: true,
    stream_options: { include_usage: true },
  }
  expect(seen.map(({ body }) => body)).toEqual([
    { ...common, reasoning_effort: 'high' },
    { ...common, reasoning_effort: 'none' },
  ])
})

test('calls of tools come in pieces, and their results go back with the ids of their calls', async () => {
  const call = (index: number, name: string | undefined, json: string) =>
    delta({ tool_calls: [{ index, function: { ...(name === undefined ? {} : { name }), arguments: json } }] })
  const { model, seen } = await serve(
    says(
      call(0, 'look', '{"a"'),
      call(1, 'find', ''),
      call(0, undefined, ':1}'),
      call(1, undefined, 'no json'),
      delta({}, 'tool_calls'),
      'data: [DONE]',
    ),
  )
  const tool = { name: 'look', description: 'Looks', parameters: { type: 'object' } }
  const messages: ModelMessage[] = [
    { role: 'user', content: 'Hi' },
    {
      role: 'assistant',
      content: '',
      tool_calls: [
        { name: 'look', arguments: { a: 0 } },
        { name: 'find', arguments: {} },
      ],
    },
    { role: 'tool', tool_name: 'look', content: 'one' },
    { role: 'tool', tool_name: 'find', content: 'two' },
  ]
  const chunks = await ask(model, { tools: [tool], messages })
  expect(chunks.at(-1)).toMatchObject({
    finish: 'stop',
    tool_calls: [
      { name: 'look', arguments: { a: 1 } },
      { name: 'find', arguments: {} },
    ],
  })
  const body = seen.at(-1)?.body as { tools: unknown; messages: { tool_calls?: { id: string }[]; tool_call_id?: string }[] }
  expect(body.tools).toEqual([{ type: 'function', function: tool }])
  const ids = body.messages[1]?.tool_calls?.map(({ id }) => id)
  expect(new Set(ids).size).toBe(2)
  expect(body.messages.slice(2).map(({ tool_call_id }) => tool_call_id)).toEqual(ids)
})

test.each([
  ['unknown_model', 404, '{"error":{"message":"no such model"}}', 'no such model'],
  ['refused', 401, '{"error":{"message":"wrong key"}}', 'wrong key'],
  ['busy', 429, 'slow down', 'slow down'],
  ['away', 503, '{"error":"loading"}', 'loading'],
  ['failed', 500, '', undefined],
] as const)('a refusal is %s (%d), with the words of the server for root only', async (failure, status, text, said) => {
  const { model } = await serve((response) => response.writeHead(status).end(text))
  const error = await ask(model).catch((reason: unknown) => reason)
  expect(error).toMatchObject({ failure, ...(said === undefined ? {} : { said }) })
  expect(String(error)).not.toMatch(/no such|wrong key|slow down|loading/)
})

test('an answer that breaks off, is no answer or reports an error in its middle fails', async () => {
  const begun = delta({ content: 'Good' })
  const { model } = await serve(
    says(begun),
    (response) => {
      response.writeHead(200).write(events(begun))
      setTimeout(() => response.destroy(), 20)
    },
    says(begun, 'data: no json'),
    says(begun, { error: { message: 'out of memory' } }),
  )
  for (let n = 0; n < 3; n += 1) await expect(ask(model)).rejects.toMatchObject({ failure: 'failed' })
  await expect(ask(model)).rejects.toMatchObject({ failure: 'failed', said: 'out of memory' })
})

test('a server that is not there, or says nothing, is away; a stop is a stop', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  const gone = new OpenAiModel({
    url: `http://127.0.0.1:${port}/v1`,
    apiKey: undefined,
    name: 'gone',
    contextTokens: 1,
    stallMs: 100,
  })
  await expect(gone.defaultModel(never)).rejects.toMatchObject({ failure: 'away' })
  const { model } = await serve(() => {})
  await expect(ask(model)).rejects.toMatchObject({ failure: 'away' })
  const stop = new AbortController()
  const asked = ask(model, { signal: stop.signal })
  setTimeout(() => stop.abort(new Error('stopped')), 50)
  await expect(asked).rejects.toThrow('stopped')
})
