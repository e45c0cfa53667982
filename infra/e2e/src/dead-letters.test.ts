import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { chatAgent } from '@youworker/contracts/chat-agent'
import { newId } from '@youworker/runtime/id'
import { waitFor } from '@youworker/test-kit/wait-for'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestSystem, type TestSystem } from './support/system.ts'

const run = promisify(execFile)
const CLI = join(import.meta.dirname, '../../cli/src/main.ts')
const stack = new AsyncDisposableStack()
let system: TestSystem
beforeAll(async () => void (system = stack.use(await startTestSystem())), 120_000)
afterAll(() => stack.disposeAsync())

const deadLetters = async (...args: string[]) => {
  const env = { ...process.env, DATABASE__ADMIN_URL: system.running.adminUrl, NATS__ADMIN_URL: system.running.natsAdminUrl }
  return (await run(process.execPath, [CLI, 'events', 'dead-letters', ...args], { env })).stdout
}

test('dead letters are listed and sent again; what was handled before is not counted twice, and no event stays', async () => {
  const ada = await system.newPerson('ada')
  await ada.post('/v1/sessions', { title: 'One' })
  const sessions = async () => (await ada.get('/v1/analytics/overview')).body.sessions?.total
  await waitFor(async () => (await sessions()) === 1, { what: 'the first session' })
  expect(await deadLetters('list')).toBe('There are no dead letters.\n')

  const me = (await ada.get('/v1/auth/me')).body
  const data = { session_id: newId(), user_id: me.id, model: null, enable_tools: true }
  const head = { specversion: '1.0', id: newId(), source: 'chat-agent', type: chatAgent.sessionCreated.subject }
  const event = { ...head, time: new Date().toISOString(), datacontenttype: 'application/json', data }
  const client = new pg.Client({ connectionString: system.running.adminUrl })
  await client.connect()
  stack.defer(() => client.end())
  const insert = (envelope: string) =>
    client.query('insert into analytics.dead_letters (envelope, reason) values ($1, $2)', [envelope, 'Postgres was away'])
  await insert(JSON.stringify(event))
  await insert('no event at all')

  const listed = await deadLetters('list')
  expect(listed).toContain(`${chatAgent.sessionCreated.subject}\n    Postgres was away`)
  expect(listed).toContain('2 dead letters')
  expect(await deadLetters('redrive', 'all')).toContain('1 dead letters were sent again.')
  await waitFor(async () => (await sessions()) === 2, { what: 'the session of the dead letter' })
  expect(await deadLetters('list')).toContain('no event')

  await insert(JSON.stringify(event))
  expect(await deadLetters('redrive', 'all')).toContain('1 dead letters were sent again.')
  await ada.post('/v1/sessions', { title: 'Two' })
  await waitFor(async () => (await sessions()) === 3, { what: 'the last session' })
  await expect(deadLetters('redrive')).rejects.toMatchObject({ stderr: expect.stringContaining('redrive all') })
})
