import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readEnv } from '@youworker/runtime/process/config'
import { silentLogger } from '@youworker/runtime/logger'
import { Ollama } from 'ollama'
import { afterEach, expect, test } from 'vitest'
import { startOfflineModel } from './app.ts'
import { Env } from './config.ts'

// Tests use the official client, because the protocol must be Ollama's.

const model = 'youworker-offline'
const messages = [{ role: 'user', content: 'How many days of leave do I have?' }]
const tools = [
  {
    type: 'function',
    function: { name: 'knowledge_search', description: 'Searches', parameters: { type: 'object', properties: {} } },
  },
]
const stack: AsyncDisposable[] = []

afterEach(async () => {
  for (const one of stack.splice(0).reverse()) await one[Symbol.asyncDispose]()
})

async function start({ script, tokensPerSecond = 0 }: { script?: object; tokensPerSecond?: number } = {}) {
  const dir = await mkdtemp(join(tmpdir(), 'offline-model-'))
  stack.push({ [Symbol.asyncDispose]: () => rm(dir, { recursive: true }) })
  const file = join(dir, 'script.json')
  if (script) await writeFile(file, JSON.stringify(script))
  const config = readEnv(Env, {
    OFFLINE_MODEL__PORT: '0',
    OFFLINE_MODEL__TOKENS_PER_SECOND: String(tokensPerSecond),
    ...(script ? { OFFLINE_MODEL__SCRIPT: file } : {}),
  })
  const server = await startOfflineModel(config, { logger: silentLogger() })
  stack.push(server)
  return { url: server.url, file, ollama: new Ollama({ host: server.url }) }
}

async function read(stream: AsyncIterable<{ message: { content: string } }>) {
  const parts: string[] = []
  for await (const part of stream) parts.push(part.message.content)
  return parts
}

const post = (url: string, path: string, body: string) =>
  fetch(`${url}${path}`, { method: 'POST', body, headers: { 'content-type': 'application/json' } })

test('list, show and version describe the one model', async () => {
  const { ollama } = await start()
  expect((await ollama.list()).models.map(({ name }) => name)).toEqual([model])
  expect((await ollama.show({ model })).capabilities).toEqual(['completion', 'tools', 'embedding'])
  expect((await ollama.version()).version).toMatch(/^\d+\.\d+\.\d+$/)
})

test('a streamed answer arrives token by token and ends with the counts', async () => {
  const { ollama } = await start({ tokensPerSecond: 2_000 })
  const whole = await ollama.chat({ model, messages })
  const parts = []
  for await (const part of await ollama.chat({ model, messages, stream: true })) parts.push(part)
  expect(parts.length).toBeGreaterThan(20)
  expect(parts.map(({ message }) => message.content).join('')).toBe(whole.message.content)
  expect(parts.at(-1)).toMatchObject({
    done: true,
    done_reason: 'stop',
    eval_count: parts.length - 1,
    prompt_eval_count: whole.prompt_eval_count,
  })
  expect(whole.prompt_eval_count).toBeGreaterThan(0)
})

test('num_predict ends an answer early', async () => {
  const { ollama } = await start()
  expect(await ollama.chat({ model, messages, options: { num_predict: 3 } })).toMatchObject({
    done_reason: 'length',
    eval_count: 3,
  })
})

test('a question gets a tool call, and the tool result gets an answer', async () => {
  const { ollama } = await start()
  const called = await ollama.chat({ model, messages, tools })
  expect(called.message.tool_calls).toEqual([
    { function: { name: 'knowledge_search', arguments: { query: messages[0]?.content } } },
  ])
  const result = { role: 'tool', tool_name: 'knowledge_search', content: '[1] handbook.md\nYou have 25 days of leave.' }
  const answered = await read(await ollama.chat({ model, messages: [...messages, called.message, result], tools, stream: true }))
  expect(answered.join('')).toContain('You have 25 days of leave. [1]')
})

test('embed accepts one text or a list', async () => {
  const { ollama } = await start()
  const input = Array.from({ length: 100 }, (_, index) => `text number ${index}`)
  const { embeddings } = await ollama.embed({ model, input })
  expect(embeddings.map(({ length }) => length)).toEqual(input.map(() => 384))
  expect((await ollama.embed({ model, input: 'text number 7' })).embeddings).toEqual([embeddings[7]])
})

test('the server still answers after a client aborts a stream', async () => {
  const { ollama } = await start({ script: { rules: [{ match: { request: 1 }, reply: { endless: true } }] } })
  const stream = await ollama.chat({ model, messages, stream: true })
  const reading = (async () => {
    let count = 0
    for await (const _ of stream) if (++count === 1_000) stream.abort()
  })()
  await expect(reading).rejects.toThrow('aborted')
  expect((await ollama.chat({ model, messages })).done).toBe(true)
})

test('bad requests get 400 or 404 with a message', async () => {
  const { url, ollama } = await start()
  const cases: [string, string, number][] = [
    ['/api/chat', '{', 400],
    ['/api/chat', '', 400],
    ['/api/chat', '[]', 400],
    ['/api/chat', JSON.stringify({ model, messages: [{ role: 'king', content: '' }] }), 400],
    ['/api/chat', JSON.stringify({ model, messages: 'hello' }), 400],
    ['/api/chat', JSON.stringify({ model: 'other', messages }), 404],
    ['/api/embed', JSON.stringify({ model, input: 7 }), 400],
    ['/api/embed', JSON.stringify({ model, input: 'x'.repeat(17 * 1024 * 1024) }), 413],
    ['/api/nowhere', '{}', 404],
  ]
  for (const [path, body, status] of cases) {
    const response = await post(url, path, body)
    expect([path, body.slice(0, 40), response.status]).toEqual([path, body.slice(0, 40), status])
    expect(await response.json()).toEqual({ error: expect.any(String) })
  }
  await expect(ollama.chat({ model: 'other', messages })).rejects.toMatchObject({ status_code: 404 })
})

test('script rules match by request number, text and last role, and give texts, tool calls and failures', async () => {
  const { ollama } = await start({
    script: {
      rules: [
        { match: { request: 1 }, reply: { status: 500 } },
        { match: { endpoint: 'embed', contains: 'poison' }, times: 1, reply: { status: 503 } },
        { match: { last_role: 'tool' }, reply: { text: 'after the tool' } },
        { match: { contains: 'leave' }, reply: { text: 'so be it', tool_calls: [{ name: 'echo', arguments: { a: 1 } }] } },
        { match: { contains: 'history' }, reply: { echo: true } },
      ],
    },
  })
  await expect(ollama.chat({ model, messages })).rejects.toMatchObject({ status_code: 500 })
  expect((await ollama.chat({ model, messages })).message).toMatchObject({
    content: 'so be it',
    tool_calls: [{ function: { name: 'echo', arguments: { a: 1 } } }],
  })
  expect((await ollama.chat({ model, messages: [...messages, { role: 'tool', content: 'x' }] })).message.content).toBe(
    'after the tool',
  )
  expect((await ollama.chat({ model, messages: [{ role: 'user', content: 'history' }] })).message.content).toBe(
    '[{"role":"user","content":"history"}]',
  )
  expect((await ollama.chat({ model, messages: [...messages, { role: 'assistant', content: 'so b' }] })).message.content).toBe(
    'e it',
  )
  await expect(ollama.embed({ model, input: ['fine', 'poison'] })).rejects.toMatchObject({ status_code: 503 })
  expect((await ollama.embed({ model, input: ['fine', 'poison'] })).embeddings).toHaveLength(2)
})

test('a stall, a malformed line and a cut connection come after the exact count of tokens', async () => {
  const text = 'one two three four five'
  const faulty = (contains: string, fault: object) => ({ match: { contains }, reply: { text, ...fault } })
  const { url, ollama } = await start({
    script: {
      rules: [
        faulty('short stall', { stall_after: 2, stall_ms: 50 }),
        faulty('stall', { stall_after: 2 }),
        faulty('malformed', { malformed_after: 2 }),
        faulty('drop', { drop_after: 2 }),
      ],
    },
  })
  const ask = (content: string) => ollama.chat({ model, messages: [{ role: 'user', content }], stream: true })
  expect((await read(await ask('short stall'))).join('')).toBe(text)

  const seen: string[] = []
  const stalled = await ask('stall')
  const reading = (async () => {
    for await (const { message } of stalled) if (seen.push(message.content) === 2) setTimeout(() => stalled.abort(), 100)
  })()
  await expect(reading).rejects.toThrow('aborted')
  expect(seen).toEqual(['one', ' two'])

  const lines = (
    await (await post(url, '/api/chat', JSON.stringify({ model, messages: [{ role: 'user', content: 'malformed' }] }))).text()
  )
    .trim()
    .split('\n')
  expect(() => JSON.parse(lines[2] ?? '') as unknown).toThrow(SyntaxError)
  expect(lines.toSpliced(2, 1).map((line) => (JSON.parse(line) as { done: boolean }).done)).toEqual([
    false,
    false,
    false,
    false,
    false,
    true,
  ])

  const got: string[] = []
  const dropped = (async () => {
    for await (const { message } of await ask('drop')) got.push(message.content)
  })()
  await expect(dropped).rejects.toThrow('terminated')
  expect(got).toEqual(['one', ' two'])
})

test('a changed script resets the counts, and an invalid one fails the start', async () => {
  const rules = (text: string) => ({ rules: [{ match: { request: 1 }, reply: { text } }] })
  const { ollama, file } = await start({ script: rules('first') })
  expect((await ollama.chat({ model, messages })).message.content).toBe('first')
  await writeFile(file, JSON.stringify(rules('the second')))
  expect((await ollama.chat({ model, messages })).message.content).toBe('the second')
  await expect(start({ script: { rules: [{ reply: { txt: 'typo' } }] } })).rejects.toThrow('is no script')
})
