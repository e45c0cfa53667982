import { readdir } from 'node:fs/promises'
import { SCHEMAS } from '@youworker/contracts/topology/topology'
import { waitFor } from '@youworker/test-kit/wait-for'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { canary } from './support/canaries.ts'
import { failure, type Person } from './support/person.ts'
import { startTestSystem, type TestSystem } from './support/system.ts'

const PRIVATE = canary('private')
const SHARED = canary('shared')
let system: TestSystem
let database: pg.Client
let ada: Person
let bob: Person
/** Of ada and bob, with ada as the only admin. */
let circle: string

beforeAll(async () => {
  system = await startTestSystem()
  database = new pg.Client({ connectionString: system.running.adminUrl })
  await database.connect()
  ;[ada, bob] = [await system.newPerson('ada'), await system.newPerson('bob')]
  circle = (await ada.post('/v1/groups', { name: 'Circle' })).body.id
  await ada.post(`/v1/groups/${circle}/members`, { username: 'bob' })
  await ada.post('/v1/groups', { name: 'Alone' })
  const text = (word: string) => `# Words\n\nThe secret word of the harbour master is ${word}.\n`
  await ada.upload([{ name: 'private.md', content: text(PRIVATE) }])
  await ada.upload([{ name: 'shared.md', content: text(SHARED) }], { wait: 'true', group_id: circle })
  await ada.upload([{ name: 'shared-too.md', content: text(SHARED) }], { wait: 'false', group_id: circle })
  const { sessionId } = await ada.chat('What is the secret word of the harbour master?', { cache: true })
  const [question] = (await ada.get(`/v1/sessions/${sessionId}`)).body.messages
  await ada.post(`/v1/sessions/${sessionId}/messages/${question.id}/retry`, { stream: false })
  await ada.post('/v1/sessions', { title: 'to be forgotten' }, { 'idempotency-key': 'one' })
  await ada.post('/v1/account/api-keys', { name: 'more' })
  await waitFor(async () => (await ada.get('/v1/analytics/overview')).body.documents.total > 1, { what: 'the analytics' })
}, 180_000)
afterAll(async () => {
  await database?.end()
  await system?.[Symbol.asyncDispose]()
})

const stateOf = async (person: Person) => (await system.root.get(`/v1/admin/users/${person.id}`)).body

/** The tables that have the text in some row, the records of what happened (events and audit) left out. */
async function tablesWith(text: string): Promise<string[]> {
  const { rows } = await database.query<{ schema: string; name: string }>(
    `select schemaname as schema, tablename as name from pg_tables where schemaname = any($1)
      and tablename not in ('outbox', 'audit_entries', 'migrations', 'migrations_lock')`,
    [Object.values(SCHEMAS)],
  )
  expect(rows.length).toBeGreaterThan(30)
  const found: string[] = []
  for (const { schema, name } of rows) {
    const { rowCount } = await database.query(`select from "${schema}"."${name}" as t where strpos(t::text, $1) > 0 limit 1`, [
      text,
    ])
    if (rowCount) found.push(`${schema}.${name}`)
  }
  return found.sort()
}

test('deleting a user erases what is theirs alone, in every service; a service that is away does it when it is back', async () => {
  expect(await tablesWith(ada.id)).toEqual(
    expect.arrayContaining([
      'auth.api_keys',
      'auth.users',
      'chat_agent.branches',
      'chat_agent.cached_answers',
      'chat_agent.data_keys',
      'chat_agent.messages',
      'group.members',
      'ingestion.blobs',
      'ingestion.data_keys',
      'analytics.messages',
    ]),
  )
  expect(await tablesWith(PRIVATE)).toEqual(['ingestion.chunks'])
  expect((await readdir(system.running.indexDir)).some((name) => name.includes(ada.id))).toBe(true)

  await system.running.services.analytics.stop()
  expect((await system.root.call('DELETE', `/v1/admin/users/${ada.id}`)).status).toBe(204)
  expect((await ada.get('/v1/auth/me')).status).toBe(401)
  await expect
    .poll(async () => (await stateOf(ada)).erasure, { timeout: 60_000 })
    .toEqual({ status: 'running', waiting_for: ['analytics'] })
  await system.running.services.analytics.start()
  await expect.poll(async () => (await stateOf(ada)).erasure, { timeout: 80_000 }).toEqual({ status: 'success', waiting_for: [] })

  // What she had shared belongs to the group: only her id is left on it, and in the record of the deletion.
  expect(await tablesWith(ada.id)).toEqual([
    'auth.deleted_users',
    'auth.revocations',
    'group.groups',
    'ingestion.blobs',
    'ingestion.documents',
    'ingestion.space_indexes',
  ])
  expect(await tablesWith(PRIVATE)).toEqual([])
  expect((await readdir(system.running.indexDir)).some((name) => name.includes(ada.id))).toBe(false)
  expect((await bob.post('/v1/search', { query: 'secret word of the harbour master' })).body.results[0].text).toContain(SHARED)
  expect((await bob.get(`/v1/groups/${circle}`)).body).toMatchObject({ role: 'admin', member_count: 1 })
  const { rows } = await database.query(`select name from "group".groups`)
  expect(rows).toEqual([{ name: 'Circle' }])
}, 180_000)

test('of a deleted user root sees that, and nothing else; the name is free again', async () => {
  expect(await stateOf(ada)).toEqual({
    id: ada.id,
    username: 'deleted user',
    email: null,
    is_root: false,
    suspended: true,
    created_at: expect.any(String),
    deleted_at: expect.any(String),
    erasure: { status: 'success', waiting_for: [] },
  })
  expect((await system.root.call('DELETE', `/v1/admin/users/${ada.id}`)).status).toBe(204)
  expect((await system.root.call('PATCH', `/v1/admin/users/${ada.id}`, { suspended: false })).body).toMatchObject(
    failure('USER_NOT_FOUND'),
  )
  const { body } = await system.root.get('/v1/admin/users')
  expect(body.users.map(({ username }: { username: string }) => username)).toEqual(['bob', 'root'])
  const again = await system.newPerson('ada')
  expect((await again.get('/v1/documents')).body.total).toBe(0)
  expect((await again.get('/v1/sessions')).body.total).toBe(0)
})
