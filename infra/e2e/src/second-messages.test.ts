import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import OpenAI from 'openai'
import { waitFor } from '@youworker/test-kit/wait-for'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Person, readEvents, textOf } from './support/person.ts'
import { RawWebSocket } from './support/raw/raw-web-socket.ts'
import { clientOf } from './support/responses.ts'
import { type SpawnedSystem, spawnSystem } from './support/spawned-system.ts'

const COUNT = Array.from({ length: 30 }, (_, n) => `${n}`).join(' ')
const SLOW = Array.from({ length: 400 }, (_, n) => `${n}`).join(' ')
const RULES = [
  { match: { contains: 'slow' }, reply: { text: SLOW, tokens_per_second: 20 } },
  { reply: { text: COUNT, tokens_per_second: 60 } },
]

let dir: string
let system: SpawnedSystem
/** The same user at both gateways. */
let sides: readonly [Person, Person]

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'youworker second '))
  const script = join(dir, 'script.json')
  await writeFile(script, JSON.stringify({ rules: RULES }))
  system = await spawnSystem(join(dir, 'data'), ['--no-demo', '--replicas', 'gateway=2,chat-agent=2'], {
    env: { OFFLINE_MODEL__SCRIPT: script, LLM__OLLAMA_CONCURRENCY: '40', SECURITY__RATE_LIMITS: 'generous' },
  })
  const { body } = await system.root.post('/v1/admin/users', { username: 'ada' })
  const [one, two] = await Promise.all(['gateway.1', 'gateway.2'].map(async (name) => (await system.process(name)).url ?? ''))
  sides = [new Person(one ?? '', body.id, body.api_key), new Person(two ?? '', body.id, body.api_key)]
}, 180_000)
afterAll(async () => {
  await system?.stop()
  await rm(dir, { recursive: true, force: true })
})

const newSession = async (settings: object = {}) => (await sides[0].post('/v1/sessions', settings)).body.external_id as string
const idOf = async (session: string) => (await sides[0].get(`/v1/sessions/${session}`)).body.session.id as string
const count = async (what: string) => {
  const [row] = await system.sql<{ count: string }>(`select count(*) from ${what}`)
  return Number(row?.count)
}
const runs = () => count('chat_agent.runs')
const sessions = () => count('chat_agent.sessions')
const AGENT = { model: 'youworker' }
const messages = [{ role: 'user', content: 'hello' }]
const short = { enable_tools: false }

/** What each protocol sends to begin a run, and where its answer has the text. */
const BEGINNINGS: [string, string, object][] = [
  ['chat', '/v1/chat', { text_input: 'hello', stream: false, ...short }],
  ['a stream of chat', '/v1/chat', { text_input: 'hello', ...short }],
  ['unified chat', '/v1/unified-chat', { text_input: 'hello', stream: false, ...short }],
  ['simple chat', '/v1/simple-chat', { message: 'hello', ...short }],
  ['completions', '/v1/chat/completions', { ...AGENT, messages }],
  ['a stream of completions', '/v1/chat/completions', { ...AGENT, messages, stream: true }],
  ['a response', '/v1/responses', { ...AGENT, input: 'hello' }],
  ['a stream of a response', '/v1/responses', { ...AGENT, input: 'hello', stream: true }],
  ['a response in the background', '/v1/responses', { ...AGENT, input: 'hello', background: true }],
  ['messages', '/v1/messages', { ...AGENT, messages, max_tokens: 1_000 }],
  ['a stream of messages', '/v1/messages', { ...AGENT, messages, max_tokens: 1_000, stream: true }],
]

test.each(BEGINNINGS)(
  '%s that is repeated with its key at both gateways at once begins one run',
  async (what, path, body) => {
    const headers = { 'idempotency-key': `once-${what.replaceAll(' ', '-')}` }
    const before = [await runs(), await sessions()] as const
    const answers = await Promise.all(Array.from({ length: 8 }, (_, n) => sides[n % 2 === 0 ? 0 : 1].post(path, body, headers)))
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
    expect([await runs(), await sessions()]).toEqual([before[0] + 1, before[1] + 1])
    const late = await sides[1].post(path, body, headers)
    expect(late.status).toBe(200)
    expect(await runs()).toBe(before[0] + 1)
    const texts = new Set(answers.map((answer) => JSON.stringify(withoutTimes(answer.body))))
    expect(texts.size, [...texts].join('\n')).toBe(1)
    if (!what.includes('background')) expect([...texts][0]).toContain('29')
    const other = JSON.parse(JSON.stringify(body).replace('hello', 'other'))
    expect(await sides[0].post(path, other, headers)).toMatchObject({
      status: 409,
      body: { error: { code: 'IDEMPOTENCY_MISMATCH' } },
    })
    expect(await runs()).toBe(before[0] + 1)
  },
  60_000,
)

/** Of whole answers and of streams: times of sending and the pieces of a text may differ. */
function withoutTimes(body: unknown): unknown {
  if (typeof body !== 'string') return body instanceof Object && 'status' in body && body.status !== 'completed' ? 'begun' : body
  return body
    .split('\n\n')
    .filter((block) => !block.startsWith(':') && !block.startsWith('retry:'))
    .filter((block) => !block.includes('event: status'))
    .join('\n\n')
}

test('what makes no run is made once, too', async () => {
  const before = await sessions()
  const makings: [string, object][] = [
    ['/v1/sessions', { title: 'Once' }],
    ['/v1/conversations', { metadata: { a: 'b' } }],
  ]
  for (const [path, body] of makings) {
    const made = await Promise.all(
      Array.from({ length: 8 }, (_, n) => sides[n % 2 === 0 ? 0 : 1].post(path, body, { 'idempotency-key': path })),
    )
    expect(made.map(({ status }) => status)).toEqual(made.map(() => 200))
    expect(new Set(made.map(({ body: one }) => one.id ?? one.external_id)).size).toBe(1)
  }
  expect(await sessions()).toBe(before + 2)

  const session = await newSession()
  await sides[0].post('/v1/chat', { text_input: 'hello', session_id: session, stream: false, ...short })
  const [question] = (await sides[0].get(`/v1/sessions/${session}/messages`)).body.messages
  const runsBefore = await runs()
  const retry = (side: Person) =>
    side.post(`/v1/sessions/${session}/messages/${question.id}/retry`, { stream: false }, { 'idempotency-key': 'retry' })
  const retried = await Promise.all(Array.from({ length: 6 }, (_, n) => retry(sides[n % 2 === 0 ? 0 : 1])))
  expect(new Set(retried.map(({ body }) => body.run_id)).size).toBe(1)
  expect(await runs()).toBe(runsBefore + 1)
}, 60_000)

interface Asked {
  readonly status: number
  readonly text: string | undefined
}
/** A message to a session by each protocol that can name one. */
const ASK: Record<string, (side: Person, session: string, content: string) => Promise<Asked>> = {
  async chat(side, session, text_input) {
    const { status, body } = await side.post('/v1/chat', { text_input, session_id: session, stream: false, ...short })
    return { status, text: body.content }
  },
  async stream(side, session, text_input) {
    const headers = { 'content-type': 'application/json' }
    const body = JSON.stringify({ text_input, session_id: session, ...short })
    const response = await side.fetch('/v1/chat', { method: 'POST', headers, body })
    if (!response.ok) return { status: response.status, text: undefined }
    return { status: 200, text: textOf(await Array.fromAsync(readEvents(response))) }
  },
  completions: (side, session_id, content) => {
    const body = { ...AGENT, session_id, messages: [{ role: 'user' as const, content }] }
    return clientOf(side, { maxRetries: 0 })
      .chat.completions.create(body)
      .then((answer) => ({ status: 200, text: answer.choices[0]?.message.content ?? undefined }), refusedWith)
  },
  async socket(side, session, content) {
    const socket = await RawWebSocket.open(side.api, `/v1/ws/chat/${session}`, side.key)
    socket.text({ type: 'text', content })
    const frames = () => socket.frames as { type: string; content?: string; error?: { code: string } }[]
    const end = await waitFor(async () => frames().find(({ type }) => type === 'done' || type === 'error'), {
      what: 'the end',
      timeoutMs: 60_000,
    })
    socket.destroy()
    return end.type === 'error'
      ? { status: end.error?.code === 'CONFLICT' ? 409 : 500, text: undefined }
      : { status: 200, text: end.content }
  },
}
function refusedWith(error: unknown): Asked {
  if (error instanceof OpenAI.APIError) return { status: error.status ?? 0, text: undefined }
  throw error
}
const WAYS = Object.entries(ASK)

const busy = async (session: string) => {
  const { body } = await sides[0].post(
    '/v1/chat',
    { text_input: 'slow', session_id: session, stream: false, ...short },
    { prefer: 'respond-async' },
  )
  const run = async () => (await sides[0].get(`/v1/runs/${body.run_id}`)).body
  await waitFor(async () => (await run()).status === 'running', { what: 'the first run' })
  return { id: body.run_id as string, run, stop: () => sides[0].post(`/v1/runs/${body.run_id}/stop`) }
}
const contents = async (session: string) =>
  ((await sides[0].get(`/v1/sessions/${session}/messages`)).body.messages as { role: string; content: string }[]).map(
    ({ role, content }) => `${role}: ${content}`,
  )

test.each(WAYS)(
  'by %s: a second message is refused, takes over, or waits',
  async (_, ask) => {
    const rejecting = await newSession({ when_busy: 'reject' })
    const first = await busy(rejecting)
    expect(await ask(sides[1], rejecting, 'hello')).toMatchObject({ status: 409 })
    expect((await first.run()).status).toBe('running')
    await first.stop()
    await waitFor(async () => (await first.run()).status === 'cancelled', { what: 'the stop' })
    expect(await ask(sides[1], rejecting, 'hello')).toEqual({ status: 200, text: COUNT })

    const interrupting = await newSession({ when_busy: 'interrupt' })
    const interrupted = await busy(interrupting)
    expect(await ask(sides[1], interrupting, 'hello')).toEqual({ status: 200, text: COUNT })
    expect(await interrupted.run()).toMatchObject({ status: 'cancelled', answer: { metadata: { status: 'stopped' } } })

    const queueing = await newSession()
    const ahead = await busy(queueing)
    const waiting = ask(sides[1], queueing, 'hello')
    const id = await idOf(queueing)
    await waitFor(async () => (await count(`chat_agent.runs where session_id = '${id}' and status = 'pending'`)) === 1, {
      what: 'the run that waits',
    })
    await ahead.stop()
    expect(await waiting).toEqual({ status: 200, text: COUNT })
    const said = await contents(queueing)
    expect(said.map((line) => line.slice(0, 15))).toEqual([
      'user: slow',
      expect.stringMatching(/^assistant: 0/),
      'user: hello',
      'assistant: 0 1 ',
    ])
  },
  120_000,
)

test('a conversation of responses that is answering refuses, as OpenAI does, and its library asks again', async () => {
  const ask = (side: Person, conversation: string, maxRetries: number) =>
    clientOf(side, { maxRetries })
      .responses.create({ ...AGENT, conversation, input: 'hello' })
      .then((answer) => ({ status: 200, text: answer.output_text }), refusedWith)
  for (const when_busy of ['queue', 'interrupt', 'reject']) {
    const session = await newSession({ when_busy })
    const conversation = `conv_${await idOf(session)}`
    const before = await runs()
    const both = await Promise.all(sides.map((side) => ask(side, conversation, 0)))
    expect(both.map(({ status }) => status).toSorted()).toEqual([200, 409])
    const retried = await Promise.all(sides.map((side) => ask(side, conversation, 5)))
    expect(retried).toEqual([
      { status: 200, text: COUNT },
      { status: 200, text: COUNT },
    ])
    expect(await runs()).toBe(before + 3)
  }
}, 60_000)

test.each(WAYS)(
  'by %s: of two messages at the same instant at two gateways',
  async (_, ask) => {
    const both = (session: string) => Promise.all(sides.map((side, n) => ask(side, session, `hello ${n}`)))
    const queueing = await newSession()
    expect(await both(queueing)).toEqual([
      { status: 200, text: COUNT },
      { status: 200, text: COUNT },
    ])
    const said = await contents(queueing)
    expect(said.toSorted()).toEqual([`assistant: ${COUNT}`, `assistant: ${COUNT}`, 'user: hello 0', 'user: hello 1'])
    expect(said.map((line) => line.slice(0, 4))).toEqual(['user', 'assi', 'user', 'assi'])

    const rejecting = await newSession({ when_busy: 'reject' })
    expect((await both(rejecting)).map(({ status }) => status).toSorted()).toEqual([200, 409])
    expect(await contents(rejecting)).toHaveLength(2)

    const interrupting = await newSession({ when_busy: 'interrupt' })
    const texts = (await both(interrupting)).map(({ status, text }) => `${status} ${text === COUNT ? 'whole' : 'stopped'}`)
    expect(texts.toSorted()).toEqual(['200 stopped', '200 whole'])
  },
  120_000,
)
