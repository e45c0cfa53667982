import { waitFor } from '@youworker/test-kit/wait-for'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { failure, type Person, readEvents, type SseEvent, textOf } from './support/person.ts'
import { startTestSystem, type TestSystem } from './support/system.ts'

const UNKNOWN = '01890000-0000-7000-8000-000000000000'
let system: TestSystem
let ada: Person

beforeAll(async () => {
  system = await startTestSystem()
  ada = await system.newPerson('ada')
}, 120_000)
afterAll(() => system?.[Symbol.asyncDispose]())

test('without group: /health/detailed reports the group service down and all others up', async () => {
  await system.running.services.group.stop()
  const { status, body } = await ada.get('/health/detailed')
  expect([status, body.status]).toEqual([200, 'degraded'])
  const { group, ...others } = body.components
  expect(group).toMatchObject({ status: 'down', message: expect.any(String) })
  // Ingestion calls group for the caller's spaces. Without it, ingestion stays healthy and uses the caller's own space.
  for (const [name, component] of Object.entries(others)) expect(component, name).toMatchObject({ status: 'ok' })
  expect((await ada.get('/health/ready')).status).toBe(200)
  await system.running.services.group.start()
  expect((await ada.get('/health/detailed')).body.status).toBe('ok')
})

test('a chat whose search is restarting waits for it and answers from the documents', async () => {
  const content = '# Moon\n\nThe Moon orbits the Earth in about twenty-seven days.\n'
  expect((await ada.upload([{ name: 'moon.md', content }])).body.success).toBe(true)
  await system.running.services.ingestion.stop()
  let restarted: Promise<void> | undefined
  const response = await ada.fetch('/v1/chat', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ text_input: 'In how many days does the Moon orbit the Earth?' }),
  })
  const events: SseEvent[] = []
  for await (const event of readEvents(response)) {
    events.push(event)
    if (event.event === 'status' && event.data.stage === 'waiting_for_tools')
      restarted ??= system.running.services.ingestion.start()
  }
  await restarted
  const done = events.at(-1)
  expect(restarted, 'no status said that the run waits').toBeDefined()
  expect(done?.data).toMatchObject({ metadata: { status: 'success' }, citations: [{ title: 'Moon' }] })
  expect(textOf(events)).toBe(done?.data.content)
})

test('without ingestion: chats say that they answer without documents and tasks are marked incomplete, until it is back', async () => {
  const before = (await ada.get('/v1/tasks')).body
  await system.running.services.ingestion.stop()
  expect((await ada.get('/v1/documents')).body).toMatchObject(failure('SERVICE_UNAVAILABLE'))
  const { done, runId } = await ada.chat('What do the documents say about the harvest?')
  expect(done.metadata.status).toBe('partial')
  expect(done.content).toMatch(/documents could not be searched/)
  expect(done.citations).toEqual([])
  // The failed search is visible in the chat.
  const failed = done.tool_events.filter(({ status }) => status === 'error')
  expect(failed.length).toBeGreaterThan(0)
  const tasks = (await ada.get('/v1/tasks')).body
  expect(tasks.incomplete).toEqual(['ingestion'])
  expect(tasks.tasks.map(({ id }: { id: string }) => id)).toContain(runId)
  expect((await ada.get(`/v1/tasks/${runId}`)).body.state).toBe('partial')
  expect((await ada.get(`/v1/tasks/${UNKNOWN}`)).body).toMatchObject(failure('SERVICE_UNAVAILABLE'))
  await system.running.services.ingestion.start()
  expect((await ada.get('/v1/documents')).status).toBe(200)
  const after = (await ada.get('/v1/tasks')).body
  expect([after.incomplete, after.total]).toEqual([undefined, before.total + 1])
})

test('without NATS: the gateway is live but not ready and returns 503 with Retry-After, until NATS is back', async () => {
  await system.running.nats.stop()
  await waitFor(async () => (await ada.get('/health/ready')).status === 503, { what: 'a gateway that is not ready' })
  expect((await ada.get('/health/live')).status).toBe(200)
  expect((await ada.get('/health')).body).toMatchObject({ status: 'down' })
  const { status, headers, body } = await ada.get('/v1/groups')
  expect([status, Number(headers.get('retry-after')) > 0]).toEqual([503, true])
  expect(['SERVICE_UNAVAILABLE', 'CIRCUIT_OPEN']).toContain(body.error.code)
  await system.running.nats.start()
  await waitFor(async () => (await ada.get('/health/ready')).status === 200, { what: 'a gateway that is ready again' })
  await waitFor(async () => (await ada.get('/v1/groups')).status === 200, { what: 'an answer' })
  await waitFor(async () => (await ada.get('/health/detailed')).body.status === 'ok', { what: 'the health of all services' })
})
