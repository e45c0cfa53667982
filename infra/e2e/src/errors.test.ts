import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
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
/** A session of ada's. */
let sessionId: string

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'youworker-errors-'))
  const script = join(dir, 'script.json')
  const embed = (contains: string, status: number) => ({ match: { endpoint: 'embed', contains }, reply: { status } })
  await writeFile(script, JSON.stringify({ rules: [embed('refuse me', 400), embed('break down', 500)] }))
  // The default rate limits. The test system's own default is more generous.
  system = await startTestSystem({ script, env: { SECURITY__RATE_LIMITS: 'on' } })
  ;[ada, bob] = [await system.newPerson('ada'), await system.newPerson('bob')]
  groupId = (await ada.post('/v1/groups', { name: 'Circle' })).body.id
  await ada.post(`/v1/groups/${groupId}/members`, { username: 'bob' })
  sessionId = (await ada.post('/v1/sessions')).body.external_id
}, 120_000)
afterAll(async () => {
  await system?.[Symbol.asyncDispose]()
  await rm(dir, { recursive: true, force: true })
})

/** Codes that no route returns yet: a tool's failure goes to the model, and a missing part of a file aborts the download. */
type NotYet = 'EXTERNAL_SERVICE_ERROR' | 'BLOB_NOT_FOUND'

/** A request that provokes each code over HTTP. The type makes sure that no code is missing. */
const PROVOKE: Readonly<Record<Exclude<ErrorCode, NotYet>, () => Promise<Answer>>> = {
  VALIDATION_ERROR: () => ada.get('/v1/documents?limit=0'),
  INVALID_ROLE: () => ada.post(`/v1/groups/${groupId}/members`, { username: 'root', role: 'emperor' }),
  GROUP_NAME_EXISTS: () => ada.post('/v1/groups', { name: 'circle' }),
  MEMBERSHIP_EXISTS: () => ada.post(`/v1/groups/${groupId}/members`, { username: 'bob' }),
  LAST_ADMIN: () => ada.call('DELETE', `/v1/groups/${groupId}/members/${ada.id}`),
  NOT_AUTHENTICATED: () => new Person(system.api, '', 'yw_nobody').get('/v1/auth/me'),
  NOT_AUTHORIZED: () => ada.post('/v1/admin/users', { username: 'puppet' }),
  NOT_GROUP_ADMIN: () => bob.call('PATCH', `/v1/groups/${groupId}`, { name: 'Bob’s' }),
  CSRF_VALIDATION_FAILED: createGroupWithoutCsrf,
  ROUTE_NOT_FOUND: () => ada.get('/v1/nothing'),
  USER_NOT_FOUND: () => ada.post(`/v1/groups/${groupId}/members`, { user_id: UNKNOWN }),
  API_KEY_NOT_FOUND: () => ada.call('DELETE', `/v1/account/api-keys/${UNKNOWN}`),
  GROUP_NOT_FOUND: () => ada.get(`/v1/groups/${UNKNOWN}`),
  MEMBERSHIP_NOT_FOUND: () => ada.call('DELETE', `/v1/groups/${groupId}/members/${UNKNOWN}`),
  SESSION_NOT_FOUND: () => ada.get(`/v1/sessions/${UNKNOWN}`),
  BRANCH_NOT_FOUND: () => ada.call('PATCH', `/v1/sessions/${sessionId}`, { active_branch: UNKNOWN }),
  MESSAGE_NOT_FOUND: () => ada.post(`/v1/sessions/${sessionId}/messages/${UNKNOWN}/retry`),
  RUN_NOT_FOUND: () => ada.get(`/v1/runs/${UNKNOWN}`),
  MODEL_NOT_FOUND: () => ada.post('/v1/chat', { text_input: 'Hello', model: 'no-such-model' }),
  MODEL_BACKEND_NOT_FOUND: () => system.root.get(`/v1/admin/models/backends/${UNKNOWN}`),
  TAG_NOT_FOUND: () => ada.call('DELETE', `/v1/tags/${UNKNOWN}`),
  COLLECTION_NOT_FOUND: () => ada.call('DELETE', `/v1/collections/${UNKNOWN}`),
  DOCUMENT_NOT_FOUND: () => ada.get(`/v1/documents/${UNKNOWN}`),
  TASK_NOT_FOUND: () => ada.get(`/v1/tasks/${UNKNOWN}`),
  METHOD_NOT_ALLOWED: () => ada.call('DELETE', '/v1/search'),
  REQUEST_TIMEOUT: dripUpload,
  CONFLICT: () => system.root.post('/v1/admin/users', { username: 'ADA' }),
  IDEMPOTENCY_MISMATCH: async () => {
    await ada.post('/v1/groups', { name: 'First' }, { 'idempotency-key': 'one' })
    return ada.post('/v1/groups', { name: 'Second' }, { 'idempotency-key': 'one' })
  },
  PAYLOAD_TOO_LARGE: () => ada.post('/v1/simple-chat', { message: 'x'.repeat(70_000) }),
  UNSUPPORTED_MEDIA_TYPE: () => ada.upload([{ name: 'fake.pdf', content: 'I am no PDF' }]),
  RATE_LIMIT_EXCEEDED: exceedRateLimit,
  INTERNAL_ERROR: readCorruptedMessage,
  DATABASE_ERROR: readWithoutDatabaseRights,
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
  INSUFFICIENT_STORAGE: createGroupOnAFullDisk,
}

test.each(Object.entries(PROVOKE))('%s', async (code, provoke) => {
  const { status, headers, body } = await provoke()
  expect(body).toMatchObject(failure(code as ErrorCode))
  expect(status).toBe(ERROR_STATUS[code as ErrorCode])
  expect(body.error.correlation_id).toBe(headers.get('x-correlation-id'))
  expect(body.error.message).toMatch(/\S+ \S+/)
  if ([429, 503, 504, 507].includes(status)) expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
  // No internals leak: no path, stack, SQL or table.
  expect(JSON.stringify(body)).not.toMatch(/\/src\/|node_modules| at \w+ \(|select |chat_agent\./i)
})

async function createGroupWithoutCsrf(): Promise<Answer> {
  const browser = new Browser(system.api)
  await browser.call('POST', '/v1/auth/auto-login', { api_key: ada.key })
  return browser.call('POST', '/v1/groups', { name: 'Forged' })
}

/** One byte a second: too slow after 30 s. */
async function dripUpload(): Promise<Answer> {
  const before = (await ada.get('/v1/ingestion-runs')).body.total
  let sent = '--x\r\ncontent-disposition: form-data; name="files"; filename="slow.md"\r\n\r\n# Slow\r\n'
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      controller.enqueue(Buffer.from(sent))
      sent = '.'
      await sleep(1_000)
    },
  })
  const headers = { 'content-type': 'multipart/form-data; boundary=x' }
  const init: RequestInit & { duplex: 'half' } = { method: 'POST', body, headers, duplex: 'half' }
  const response = await ada.fetch('/v1/ingest/upload', init)
  const answer = { status: response.status, headers: response.headers, body: await response.json() }
  expect((await ada.get('/v1/ingestion-runs')).body.total).toBe(before)
  return answer
}

async function exceedRateLimit(): Promise<Answer> {
  const eager = await system.newPerson('eager')
  for (let count = 1; count <= 200; count += 1) {
    const answer = await eager.get('/v1/auth/me')
    const left = Number(answer.headers.get('x-ratelimit-remaining'))
    expect(answer.headers.get('x-ratelimit-limit')).toBe('100')
    expect(Number(answer.headers.get('x-ratelimit-reset'))).toBeGreaterThan(Date.now() / 1_000 - 1)
    if (answer.status === 200) continue
    expect([left, count > 120]).toEqual([0, true])
    // The limit is per user.
    expect((await ada.get('/v1/auth/me')).status).toBe(200)
    return answer
  }
  throw new Error('200 requests in a row were served')
}

/** Changes one byte of a sealed message, so that it cannot be decrypted. */
async function readCorruptedMessage(): Promise<Answer> {
  const carl = await system.newPerson('carl')
  const { sessionId } = await carl.chat('Hello')
  await asAdmin(
    `update chat_agent.messages set content = set_byte(content, length(content) - 1, 255 - get_byte(content, length(content) - 1)) where space_id = '${carl.id}'`,
  )
  return carl.get(`/v1/sessions/${sessionId}`)
}

async function readWithoutDatabaseRights(): Promise<Answer> {
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
  // Hybrid search falls back to lexical search without the model.
  expect((await bob.post('/v1/search', { query: 'break down', mode: 'hybrid' })).status).toBe(200)
  return answer
}

/** Postgres refuses the row with the SQLSTATE of a full disk. */
async function createGroupOnAFullDisk(): Promise<Answer> {
  await asAdmin(`create function "group".no_room() returns trigger language plpgsql as
    $$ begin raise exception 'could not extend file "base/1/2": No space left on device' using errcode = 'disk_full'; end $$;
    create trigger no_room before insert on "group".groups execute function "group".no_room()`)
  try {
    return await ada.post('/v1/groups', { name: 'No room' })
  } finally {
    await asAdmin('drop trigger no_room on "group".groups; drop function "group".no_room()')
  }
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

test('after all these errors every service is healthy and serves requests', async () => {
  await waitFor(async () => (await ada.get('/health/detailed')).body.status === 'ok', { what: 'the health of all services' })
  expect((await ada.get('/v1/groups')).status).toBe(200)
  expect((await ada.get('/v1/analytics/overview')).status).toBe(200)
  await waitFor(async () => (await ada.post('/v1/search', { query: 'x', mode: 'dense' })).status === 200, {
    what: 'the closed breaker',
  })
  expect(system.logs()).not.toContain(ada.key)
})
