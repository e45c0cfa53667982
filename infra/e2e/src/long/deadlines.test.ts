import type { IncomingMessage } from 'node:http'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { waitFor } from '@youworker/test-kit/wait-for'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import type { Person } from '../support/person.ts'
import { type SpawnedSystem, spawnSystem } from '../support/spawned-system.ts'

/** A request may take 5 s here; the rest is for a busy machine. Without the shared deadline some took 18 s. */
const LONGEST_MS = 11_000
const GIVE_UP_MS = 60_000

let dir: string
let system: SpawnedSystem
let root: Person
let session = ''
let group = ''
let document = ''
let run = ''

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'youworker-deadlines-'))
  const env = { OFFLINE_MODEL__TOKENS_PER_SECOND: '0', API__DEADLINE_MS: '5000' }
  system = await spawnSystem(join(dir, 'data'), ['--no-demo'], { env })
  root = system.root
  const chat = await root.chat('Hello')
  session = chat.sessionId
  run = chat.runId
  group = (await root.post('/v1/groups', { name: 'Deadlines' })).body.id
  await root.upload([{ name: 'tide.md', content: '# Tide\n\nThe moon lifts the sea twice a day.' }])
  document = await waitFor(async () => (await root.get('/v1/documents')).body.documents[0]?.id, { what: 'the document' })
}, 120_000)
afterAll(async () => {
  await system?.[Symbol.asyncDispose]()
  await rm(dir, { recursive: true, force: true })
})

const JSON_TYPE = { 'content-type': 'application/json' }
const post = (body: unknown, headers: Record<string, string> = {}): RequestInit => ({
  method: 'POST',
  headers: { ...JSON_TYPE, ...headers },
  body: JSON.stringify(body),
})

/** Its text is short whatever its size, so that it is ingested at once. */
function form(bytes: number): FormData {
  const body = new FormData()
  body.append('files', new Blob([`# Note\n\n${crypto.randomUUID()}${'\n'.repeat(bytes)}`]), `${crypto.randomUUID()}.md`)
  return body
}

/** Requests of every kind: name, path and the rest. Each sign-in brings a credential that the gateway has not cached. */
const requests = (): (readonly [path: string, init?: RequestInit])[] => [
  ['/v1/auth/me'],
  ['/v1/auth/auto-login', post({ api_key: root.key })],
  ['/v1/auth/login', post({ username: 'nobody', password: 'wrong but long enough' })],
  ['/v1/groups', { headers: { 'x-api-key': `unknown-${crypto.randomUUID()}` } }],
  ['/v1/admin/users', post({ username: `u${crypto.randomUUID().slice(0, 8)}`, password: 'a long enough password' })],
  ['/v1/groups'],
  [`/v1/groups/${group}`],
  ['/v1/groups', post({ name: crypto.randomUUID() }, { 'idempotency-key': crypto.randomUUID() })],
  [`/v1/groups/${group}`, { method: 'PATCH', headers: JSON_TYPE, body: '{"description":"x"}' }],
  ['/v1/sessions'],
  ['/v1/sessions', post({ title: 'x' })],
  [`/v1/sessions/${session}`],
  ['/v1/chat', post({ text_input: 'Hello' })],
  ['/v1/chat', post({ text_input: 'What lifts the sea?', stream: false })],
  ['/v1/simple-chat', post({ message: 'Hello', session_id: session })],
  [`/v1/runs/${run}`],
  [`/v1/runs/${run}/events`],
  ['/v1/tool-runs'],
  ['/v1/ingest/upload', { method: 'POST', body: form(500) }],
  ['/v1/ingest/upload', { method: 'POST', body: form(3_000_000) }],
  ['/v1/documents'],
  [`/v1/documents/${document}/content`],
  ['/v1/search', post({ query: 'moon' })],
  ['/v1/ingestion-runs'],
  ['/v1/analytics/overview'],
  ['/v1/tasks'],
  ['/health/detailed'],
]

interface Outcome {
  readonly what: string
  readonly status: number
  readonly retryAfter: string | null
  readonly text: string
  readonly ms: number
}

/** The time of a stream counts until it has begun. */
async function send(path: string, init: RequestInit = {}): Promise<Outcome> {
  const began = performance.now()
  const what = `${init.method ?? 'GET'} ${path}`
  const response = await root.fetch(path, { ...init, signal: AbortSignal.timeout(GIVE_UP_MS) })
  const isStream = response.headers.get('content-type')?.startsWith('text/event-stream')
  const text = isStream ? (await response.body?.cancel(), '') : await response.text()
  return { what, status: response.status, retryAfter: response.headers.get('retry-after'), text, ms: performance.now() - began }
}

async function upgrade(): Promise<Outcome> {
  const began = performance.now()
  const url = `${root.api.replace('http', 'ws')}/v1/ws/chat/${session}`
  const socket = new WebSocket(url, { headers: { 'x-api-key': root.key ?? '' } })
  const answer = await new Promise<IncomingMessage | undefined>((resolve, reject) => {
    socket.on('open', () => resolve(undefined))
    socket.on('unexpected-response', (_, response) => resolve(response))
    socket.on('error', reject)
  })
  const text = answer ? (await Array.fromAsync(answer)).join('') : ''
  if (!answer) socket.terminate()
  const retryAfter = answer?.headers['retry-after'] ?? null
  return { what: 'upgrade', status: answer?.statusCode ?? 101, retryAfter, text, ms: performance.now() - began }
}

const all = () => Promise.all([...requests().map(([path, init]) => send(path, init)), upgrade()])
const TRUTH = /"message":"[^"]*(try again|Idempotency-Key|goes on|look)/

/** The second round meets open circuit breakers. */
const ROUNDS = [
  ['postgres', 2],
  ['nats', 2],
  ['auth.1', 1],
  ['group.1', 1],
  ['chat-agent.1', 2],
  ['ingestion.1', 1],
] as const

test.each(ROUNDS)(
  'while %s is frozen every request ends in time, with the truth; afterwards all work again',
  async (name, rounds) => {
    const outcomes = await system.frozen(name, async () => [...(await all()), ...(rounds === 2 ? await all() : [])])
    for (const { what, status, retryAfter, text, ms } of outcomes) {
      expect(ms, what).toBeLessThan(LONGEST_MS)
      if (status < 500) continue
      expect([503, 504], `${what}: ${text}`).toContain(status)
      expect(Number(retryAfter), what).toBeGreaterThan(0)
      if (status === 504) expect(text, what).toMatch(TRUTH)
    }
    expect(outcomes.filter(({ status }) => status >= 500).length).toBeGreaterThan(0)
    await waitFor(async () => (await all()).every(({ status }) => status < 500), { what: 'answers', timeoutMs: 60_000 })
  },
  240_000,
)
