import specs from '@asyncapi/specs'
import { waitFor } from '@youworker/test-kit/wait-for'
import { Ajv } from 'ajv'
import addFormats from 'ajv-formats'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { Person } from './support/person.ts'
import { RawNats } from './support/raw-nats.ts'
import { startTestSystem, type TestSystem } from './support/system.ts'

let system: TestSystem
beforeAll(async () => {
  system = await startTestSystem()
}, 120_000)
afterAll(() => system[Symbol.asyncDispose]())

const description = async () => (await new Person(system.api, '').get('/asyncapi.json')).body

test('/asyncapi.json is a valid AsyncAPI 3.0 document', async () => {
  const document = await description()
  const ajv = new Ajv({ strict: false, unicodeRegExp: false, meta: false, validateSchema: false })
  addFormats.default(ajv)
  const isValid = ajv.compile(specs.schemas['3.0.0'] as object)
  isValid(document)
  expect(isValid.errors).toBeNull()
  expect(isValid({ ...document, operations: { wrong: { action: 'shout' } } })).toBe(false)

  const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path = '']) => path.split('/'))
  expect(references.length).toBeGreaterThan(45)
  for (const path of references) expect(path.reduce((node, key) => node?.[key], document)).toBeTypeOf('object')
})

test('events of every kind match the document as they are sent', async () => {
  const { channels, components } = await description()
  const schemas = new Map(
    Object.entries<{ address: string }>(channels).map(([id, { address }]) => [
      address,
      z.fromJSONSchema(components.messages[id].payload),
    ]),
  )
  await using watcher = await RawNats.connect(system.running.natsWatcherUrl)
  const seen = new Map<string, unknown[]>()
  const listening = watcher.core.subscribe('events.>', {
    callback: (_error, message) => void seen.set(message.subject, [...(seen.get(message.subject) ?? []), message.json()]),
  })
  await watcher.core.flush()

  const ada = await system.newPerson('ada')
  const ben = await system.newPerson('ben')
  const { id: group_id } = (await ada.post('/v1/groups', { name: 'Readers' })).body
  await ada.post(`/v1/groups/${group_id}/members`, { user_id: ben.id })
  await ada.upload([{ name: 'river.md', content: '# Rivers\n\nThe Danube flows through ten countries.\n' }])
  await ada.call('PATCH', `/v1/groups/${group_id}/members/${ben.id}`, { role: 'admin' })
  const earlier = Array.from({ length: 90 }, (_, n) => ({ role: n % 2 === 0 ? 'user' : 'assistant', content: `Turn ${n}.` }))
  const { done } = await ada.chat('How long is this?', { messages: earlier, enable_tools: false })
  const { session_id } = done.metadata
  const summarised = async () => {
    await ada.chat('And now?', { session_id, enable_tools: false })
    return seen.has('events.chat-agent.v1.summary.finished')
  }
  await waitFor(summarised, { what: 'a summary', timeoutMs: 60_000 })
  await ada.chat('Through how many countries does the Danube flow?')
  const repeated = async () => (await ada.chat('Hello?', { cache: true, enable_tools: false })).done.metadata.cached === true
  await waitFor(repeated, { what: 'a kept answer', timeoutMs: 30_000 })
  const [{ id: document }] = (await ada.get('/v1/documents')).body.documents
  const [{ id: session }] = (await ada.get('/v1/sessions')).body.sessions
  for (const change of [{ group_id }, { group_id: null }])
    expect((await ada.call('PATCH', `/v1/documents/${document}`, change)).status).toBe(200)
  const collection = (await ada.post('/v1/collections', { name: 'rivers' })).body.id
  const access = `/v1/collections/${collection}/access/${ben.id}`
  expect((await ada.call('PUT', access, { role: 'reader' })).status).toBe(200)
  expect((await ada.call('DELETE', access)).status).toBe(204)
  for (const path of [`documents/${document}`, `sessions/${session}`, `groups/${group_id}`]) {
    expect((await ada.call('DELETE', `/v1/${path}`)).status).toBe(204)
    expect((await ada.post(`/v1/${path}/restore`)).status).toBe(200)
  }
  for (const path of [
    `documents/${document}?purge=true`,
    `sessions/${session}?purge=true`,
    `groups/${group_id}/members/${ben.id}`,
    `groups/${group_id}?purge=true`,
  ])
    expect((await ada.call('DELETE', `/v1/${path}`)).status).toBe(204)

  expect((await ben.get(`/v1/documents/${document}`)).status).toBe(404)
  expect((await system.root.get('/v1/analytics/overview?scope=installation')).status).toBe(200)
  expect((await new Person(system.api, '', 'yw_wrong').get('/v1/auth/me')).status).toBe(401)
  expect((await system.root.call('DELETE', `/v1/admin/users/${ben.id}`)).status).toBeLessThan(300)

  const unseen = () => [...schemas.keys()].filter((subject) => !seen.has(subject))
  await waitFor(() => unseen().length === 0, { what: 'the events of all these acts' }).catch(() => {})
  expect(unseen()).toEqual([])
  listening.unsubscribe()
  for (const [subject, events] of seen)
    for (const event of events) expect({ subject, ...schemas.get(subject)?.safeParse(event) }).toMatchObject({ success: true })
}, 120_000)
