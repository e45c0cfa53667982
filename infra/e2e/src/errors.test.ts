import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ERROR_STATUS, type ErrorCode } from '@youworker/contracts/errors'
import { waitFor } from '@youworker/test-kit/wait-for'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Browser } from './support/browser.ts'
import { startTestSystem, type TestSystem } from './support/system.ts'
import { type Answer, failure, Person } from './support/person.ts'

const UNKNOWN = '01890000-0000-7000-8000-000000000000'
let dir: string
let system: TestSystem
let ada: Person
let bob: Person
/** A group of ada's with bob as a member. */
let groupId: string

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'youworker-errors-'))
  const script = join(dir, 'script.json')
  const embed = (contains: string, status: number) => ({ match: { endpoint: 'embed', contains }, reply: { status } })
  await writeFile(script, JSON.stringify({ rules: [embed('refuse me', 400), embed('break down', 500)] }))
  // The limits that are in force when nobody says otherwise.
  system = await startTestSystem({ script, env: { SECURITY__RATE_LIMITS: 'on' } })
  ;[ada, bob] = [await system.newPerson('ada'), await system.newPerson('bob')]
  groupId = (await ada.post('/v1/groups', { name: 'Circle' })).body.id
  await ada.post(`/v1/groups/${groupId}/members`, { username: 'bob' })
}, 120_000)
afterAll(async () => {
  await system?.[Symbol.asyncDispose]()
  await rm(dir, { recursive: true, force: true })
})

/** A code that HTTP answers with none of today's routes: a tool's failure is told to the model, a missing piece ends a download. */
type NotYet = 'EXTERNAL_SERVICE_ERROR' | 'BLOB_NOT_FOUND'

/** One way to each code, through the front door. The type says that none is missing. */
const PROVOKE: Readonly<Record<Exclude<ErrorCode, NotYet>, () => Promise<Answer>>> = {
  VALIDATION_ERROR: () => ada.get('/v1/documents?limit=0'),
  INVALID_ROLE: () => ada.post(`/v1/groups/${groupId}/members`, { username: 'root', role: 'emperor' }),
  GROUP_NAME_EXISTS: () => ada.post('/v1/groups', { name: 'circle' }),
  MEMBERSHIP_EXISTS: () => ada.post(`/v1/groups/${groupId}/members`, { username: 'bob' }),
  LAST_ADMIN: () => ada.call('DELETE', `/v1/groups/${groupId}/members/${ada.id}`),
  NOT_AUTHENTICATED: () => new Person(system.api, '', 'yw_nobody').get('/v1/auth/me'),
  NOT_AUTHORIZED: () => ada.post('/v1/admin/users', { username: 'puppet' }),
  NOT_GROUP_ADMIN: () => bob.call('PATCH', `/v1/groups/${groupId}`, { name: 'Bob’s' }),
  CSRF_VALIDATION_FAILED: writeWithoutCsrf,
  ROUTE_NOT_FOUND: () => ada.get('/v1/nothing'),
  USER_NOT_FOUND: () => ada.post(`/v1/groups/${groupId}/members`, { user_id: UNKNOWN }),
  GROUP_NOT_FOUND: () => ada.get(`/v1/groups/${UNKNOWN}`),
  MEMBERSHIP_NOT_FOUND: () => ada.call('DELETE', `/v1/groups/${groupId}/members/${UNKNOWN}`),
  SESSION_NOT_FOUND: () => ada.get(`/v1/sessions/${UNKNOWN}`),
  RUN_NOT_FOUND: () => ada.get(`/v1/runs/${UNKNOWN}`),
  DOCUMENT_NOT_FOUND: () => ada.get(`/v1/documents/${UNKNOWN}`),
  TASK_NOT_FOUND: () => ada.get(`/v1/tasks/${UNKNOWN}`),
  METHOD_NOT_ALLOWED: () => ada.call('DELETE', '/v1/search'),
  CONFLICT: () => system.root.post('/v1/admin/users', { username: 'ADA' }),
  IDEMPOTENCY_MISMATCH: async () => {
    await ada.post('/v1/groups', { name: 'First' }, { 'idempotency-key': 'one' })
    return ada.post('/v1/groups', { name: 'Second' }, { 'idempotency-key': 'one' })
  },
  PAYLOAD_TOO_LARGE: () => ada.post('/v1/simple-chat', { message: 'x'.repeat(70_000) }),
  UNSUPPORTED_MEDIA_TYPE: () => ada.upload([{ name: 'fake.pdf', content: 'I am no PDF' }]),
  RATE_LIMIT_EXCEEDED: askTooOften,
  INTERNAL_ERROR: readWhatWasChanged,
  DATABASE_ERROR: listWithoutRights,
  LLM_ERROR: () => ada.post('/v1/search', { query: 'refuse me', mode: 'dense' }),
  CIRCUIT_OPEN: searchUntilTheBreakerOpens,
  SERVICE_UNAVAILABLE: async () => {
    const { group } = system.running.services
    await group.stop()
    try {
      return await ada.get('/v1/groups')
    } finally {
      await group.start()
    }
  },
  DEADLINE_EXCEEDED: listWhileTheTableIsLocked,
}

test.each(Object.entries(PROVOKE))('%s', async (code, provoke) => {
  const { status, headers, body } = await provoke()
  expect(body).toMatchObject(failure(code as ErrorCode))
  expect(status).toBe(ERROR_STATUS[code as ErrorCode])
  expect(body.error.correlation_id).toBe(headers.get('x-correlation-id'))
  expect(body.error.message).toMatch(/\S+ \S+/)
  if ([429, 503, 504].includes(status)) expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
  // Nothing of the inside leaks: no path, no stack, no SQL, no table.
  expect(JSON.stringify(body)).not.toMatch(/\/src\/|node_modules| at \w+ \(|select |chat_agent\./i)
})

async function writeWithoutCsrf(): Promise<Answer> {
  const browser = new Browser(system.api)
  await browser.call('POST', '/v1/auth/auto-login', { api_key: ada.key })
  return browser.call('POST', '/v1/groups', { name: 'Forged' })
}

async function askTooOften(): Promise<Answer> {
  const eager = await system.newPerson('eager')
  for (let count = 1; count <= 200; count += 1) {
    const answer = await eager.get('/v1/auth/me')
    const left = Number(answer.headers.get('x-ratelimit-remaining'))
    expect(answer.headers.get('x-ratelimit-limit')).toBe('100')
    expect(Number(answer.headers.get('x-ratelimit-reset'))).toBeGreaterThan(Date.now() / 1_000 - 1)
    if (answer.status === 200) continue
    expect([left, count > 120]).toEqual([0, true])
    // Nobody else is touched by it.
    expect((await ada.get('/v1/auth/me')).status).toBe(200)
    return answer
  }
  throw new Error('200 requests in a row were served')
}

/** A sealed message in which somebody changed one byte does not open. */
async function readWhatWasChanged(): Promise<Answer> {
  const carl = await system.newPerson('carl')
  const { sessionId } = await carl.chat('Hello')
  await asAdmin(
    `update chat_agent.messages set content = set_byte(content, length(content) - 1, 255 - get_byte(content, length(content) - 1)) where space_id = '${carl.id}'`,
  )
  return carl.get(`/v1/sessions/${sessionId}`)
}

async function listWithoutRights(): Promise<Answer> {
  await asAdmin('revoke select on analytics.sessions from analytics')
  try {
    return await ada.get('/v1/analytics/overview')
  } finally {
    await asAdmin('grant select on analytics.sessions to analytics')
  }
}

async function searchUntilTheBreakerOpens(): Promise<Answer> {
  const search = () => bob.post('/v1/search', { query: 'break down', mode: 'dense' })
  for (let count = 1; count <= 5; count += 1) expect((await search()).body).toMatchObject(failure('SERVICE_UNAVAILABLE'))
  const answer = await search()
  // What does not need the model goes on.
  expect((await bob.post('/v1/search', { query: 'break down', mode: 'hybrid' })).status).toBe(200)
  return answer
}

async function listWhileTheTableIsLocked(): Promise<Answer> {
  const client = new pg.Client({ connectionString: system.running.adminUrl })
  await client.connect()
  try {
    await client.query('begin; lock table "group".groups in access exclusive mode')
    const began = performance.now()
    const answer = await ada.get('/v1/groups')
    expect(performance.now() - began).toBeLessThan(10_000)
    return answer
  } finally {
    await client.end()
  }
}

async function asAdmin(sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: system.running.adminUrl })
  await client.connect()
  try {
    await client.query(sql)
  } finally {
    await client.end()
  }
}

test('after all of these every service is well and serves', async () => {
  await waitFor(async () => (await ada.get('/health/detailed')).body.status === 'ok', { what: 'the health of all services' })
  expect((await ada.get('/v1/groups')).status).toBe(200)
  expect((await ada.get('/v1/analytics/overview')).status).toBe(200)
  await waitFor(async () => (await ada.post('/v1/search', { query: 'x', mode: 'dense' })).status === 200, {
    what: 'the closed breaker',
  })
  expect(system.logs()).not.toContain(ada.key)
})

test('health tells which service is down, and that the rest is well', async () => {
  await system.running.services.group.stop()
  const { status, body } = await ada.get('/health/detailed')
  expect([status, body.status]).toEqual([200, 'degraded'])
  const { group, ...others } = body.components
  expect(group).toMatchObject({ status: 'down', message: expect.any(String) })
  // ingestion asks group for the spaces of a caller, and goes on with the caller's own.
  for (const [name, component] of Object.entries(others)) expect(component, name).toMatchObject({ status: 'ok' })
  expect((await ada.get('/health/ready')).status).toBe(200)
  await system.running.services.group.start()
  expect((await ada.get('/health/detailed')).body.status).toBe('ok')
})

test('without ingestion: chats answer, tasks say what is missing, and it all comes back', async () => {
  const before = (await ada.get('/v1/tasks')).body
  await system.running.services.ingestion.stop()
  expect((await ada.get('/v1/documents')).body).toMatchObject(failure('SERVICE_UNAVAILABLE'))
  const { done, runId } = await ada.chat('What do the documents say about the harvest?')
  expect(done.metadata.status).toBe('success')
  expect(done.content).not.toBe('')
  expect(done.citations).toEqual([])
  // The chat says that it went without documents.
  const failed = done.tool_events.filter(({ status }) => status === 'error')
  expect(failed.length).toBeGreaterThan(0)
  const tasks = (await ada.get('/v1/tasks')).body
  expect(tasks.incomplete).toEqual(['ingestion'])
  expect(tasks.tasks.map(({ id }: { id: string }) => id)).toContain(runId)
  expect((await ada.get(`/v1/tasks/${runId}`)).status).toBe(200)
  expect((await ada.get(`/v1/tasks/${UNKNOWN}`)).body).toMatchObject(failure('SERVICE_UNAVAILABLE'))
  await system.running.services.ingestion.start()
  expect((await ada.get('/v1/documents')).status).toBe(200)
  const after = (await ada.get('/v1/tasks')).body
  expect([after.incomplete, after.total]).toEqual([undefined, before.total + 1])
})

test('without NATS nothing can be served: live, but not ready, and a 503 with Retry-After; then all is back', async () => {
  await system.running.nats.stop()
  await waitFor(async () => (await ada.get('/health/ready')).status === 503, { what: 'a gateway that is not ready' })
  expect((await ada.get('/health/live')).status).toBe(200)
  expect((await ada.get('/health')).body).toMatchObject({ status: 'down', components: { nats: { status: 'down' } } })
  const { status, headers, body } = await ada.get('/v1/groups')
  expect([status, Number(headers.get('retry-after')) > 0]).toEqual([503, true])
  expect(['SERVICE_UNAVAILABLE', 'CIRCUIT_OPEN']).toContain(body.error.code)
  await system.running.nats.start()
  await waitFor(async () => (await ada.get('/health/ready')).status === 200, { what: 'a gateway that is ready again' })
  await waitFor(async () => (await ada.get('/v1/groups')).status === 200, { what: 'an answer' })
  await waitFor(async () => (await ada.get('/health/detailed')).body.status === 'ok', { what: 'the health of all services' })
})

test('the description of the API names every route that answers, and each reference in it leads somewhere', async () => {
  const { status, body } = await ada.get('/openapi.json')
  expect([status, body.openapi]).toEqual([200, '3.1.0'])
  const references = [...JSON.stringify(body).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)].map(([, name]) => name)
  expect(references.length).toBeGreaterThan(50)
  for (const name of new Set(references)) expect(Object.keys(body.components.schemas)).toContain(name)
  expect([...JSON.stringify(body).matchAll(/"\$ref":"(?!#)/g)]).toEqual([])
  const described = Object.entries<Record<string, { responses: Record<string, unknown> }>>(body.paths).flatMap(
    ([path, methods]) =>
      Object.entries(methods).map(([method, { responses }]) => ({
        path,
        method: method.toUpperCase(),
        codes: Object.keys(responses),
      })),
  )
  for (const { path, method, codes } of described) {
    const answer = await ada.fetch(path.replaceAll(/\{\w+\}/g, UNKNOWN), { method: 'OPTIONS' })
    expect(answer.headers.get('allow')?.split(', '), path).toContain(method)
    expect(
      codes.some((code) => /^(2\d\d|101)$/.test(code)),
      `${method} ${path}: ${codes.join()}`,
    ).toBe(true)
  }
  const served = described.map(({ method, path }) => `${method} ${path.replaceAll(/\{\w+\}/g, '{}')}`)
  expect(served).toEqual(expect.arrayContaining(PROMISED))
})

/** What the first issue's checkpoints name, as the page of the HTTP surface spells it. */
const PROMISED = [
  ...['auto-login', 'login', 'logout'].map((name) => `POST /v1/auth/${name}`),
  ...['me', 'csrf-token'].map((name) => `GET /v1/auth/${name}`),
  'POST /v1/admin/users',
  ...['chat', 'simple-chat', 'unified-chat', 'search', 'ingest/upload'].map((name) => `POST /v1/${name}`),
  'GET /v1/runs/{}',
  'GET /v1/runs/{}/events',
  'POST /v1/runs/{}/stop',
  'GET /v1/tool-runs',
  ...['GET', 'POST'].map((method) => `${method} /v1/sessions`),
  ...['GET', 'PATCH', 'DELETE'].map((method) => `${method} /v1/sessions/{}`),
  'GET /v1/ingestion-runs',
  'GET /v1/ingestion-runs/{}',
  'DELETE /v1/ingestion-runs/{}',
  'GET /v1/ingestion-runs/{}/events',
  ...['cancel', 'retry'].map((name) => `POST /v1/ingestion-runs/{}/${name}`),
  'GET /v1/documents',
  'GET /v1/documents/{}',
  'DELETE /v1/documents/{}',
  'GET /v1/documents/{}/content',
  'GET /v1/groups',
  'POST /v1/groups',
  'GET /v1/groups/me',
  'GET /v1/groups/{}/members',
  'POST /v1/groups/{}/members',
  ...['GET', 'PATCH', 'PUT', 'DELETE'].map((method) => `${method} /v1/groups/{}`),
  ...['PATCH', 'PUT', 'POST', 'DELETE'].map((method) => `${method} /v1/groups/{}/members/{}`),
  'GET /v1/tasks',
  'GET /v1/tasks/{}',
  'POST /v1/tasks/{}/cancel',
  'GET /v1/analytics/overview',
  ...['health', 'health/detailed', 'health/live', 'health/ready', 'openapi.json', 'docs', 'metrics'].map(
    (name) => `GET /${name}`,
  ),
]

test('/docs needs nothing from another host', async () => {
  const read = async (path: string) => {
    const response = await ada.fetch(path)
    expect([path, response.status]).toEqual([path, 200])
    return { text: await response.text(), policy: response.headers.get('content-security-policy') ?? '' }
  }
  const page = await read('/docs')
  const sources = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, source = '']) => source)
  expect(sources.length).toBeGreaterThan(2)
  for (const source of sources) expect(source).toMatch(/^\/docs\//)
  const starter = sources.filter((source) => source.endsWith('.js') && !source.includes('bundle'))
  for (const source of sources) {
    const { text } = await read(source)
    if (source.endsWith('.css')) expect(text).not.toMatch(/@import|url\(\s*["']?(https?:)?\/\//)
    if (starter.includes(source)) expect(text).not.toMatch(/https?:\/\//)
  }
  expect(page.text).not.toMatch(/https?:\/\//)
  // Whatever the library would like to load, the browser may only ask this host.
  expect(page.policy).toContain("default-src 'none'")
  expect(page.policy).not.toMatch(/https?:|\*/)
})
