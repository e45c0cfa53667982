import { startQdrant, type TestQdrant } from '@youworker/test-kit/qdrant/qdrant-server'
import { waitFor } from '@youworker/test-kit/wait-for'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Person } from './support/person.ts'
import { startTestSystem, type TestSystem } from './support/system.ts'

const KEY = 'a key of Qdrant'
let qdrant: TestQdrant
let system: TestSystem
let ada: Person
let ben: Person
beforeAll(async () => {
  qdrant = await startQdrant({ apiKey: KEY })
  system = await startTestSystem({ env: { LLM__QDRANT_URL: qdrant.url, LLM__QDRANT_API_KEY: KEY } })
  ada = await system.newPerson('ada')
  ben = await system.newPerson('ben')
}, 120_000)
afterAll(async () => {
  await system?.[Symbol.asyncDispose]()
  await qdrant?.[Symbol.asyncDispose]()
})

const search = (person: Person, query: string, more = {}) => person.post('/v1/search', { query, ...more })
const titles = async (person: Person, query: string) =>
  (await search(person, query)).body.results.map(({ title }: { title: string }) => title)

test('from upload to erasure with the index in Qdrant: found, cited, shared with nobody, deleted, gone', async () => {
  const content = '# Moon\n\nThe Moon orbits the Earth in about twenty-seven days.\n'
  const { body } = await ada.upload([{ name: 'moon.md', content }])
  expect(body.success).toBe(true)
  await ben.upload([{ name: 'sun.md', content: '# Sun\n\nThe Sun turns once in about twenty-seven days.\n' }])
  expect(await titles(ada, 'twenty-seven days')).toEqual(['Moon'])
  expect(await titles(ben, 'twenty-seven days')).toEqual(['Sun'])
  const { done } = await ada.chat('In how many days does the Moon orbit the Earth?')
  expect(done.citations).toMatchObject([{ title: 'Moon' }])
  expect((await system.root.post('/v1/admin/index/check', {})).body).toMatchObject({ documents: 2, differences: [] })
  const [document] = (await ada.get('/v1/documents')).body.documents
  const explained = await ada.post('/v1/search/explain', { query: 'orbit', document_id: document.id, mode: 'lexical' })
  expect(explained.body).toMatchObject({ verdict: 'returned', chunks: [{ lexical: { rank: 1 } }] })
  expect((await ada.call('DELETE', `/v1/documents/${document.id}?purge=true`)).status).toBeLessThan(300)
  expect(await titles(ada, 'orbit')).toEqual([])
  const left = qdrant.collections.points().filter(({ payload }) => payload['document_id'] === document.id)
  expect(left).toEqual([])
  expect(qdrant.faults).toEqual([])
}, 60_000)

test('without Qdrant the system is degraded, not down: documents and uploads go on, searches are told to come back, files wait', async () => {
  await qdrant.stop()
  await waitFor(async () => (await ada.get('/health/detailed')).body.status === 'degraded', { what: 'health that tells' })
  const { ingestion } = (await ada.get('/health/detailed')).body.components
  expect(JSON.stringify(ingestion)).toContain('Qdrant')
  expect((await ada.get('/health/ready')).status).toBe(200)
  const found = await search(ben, 'Sun')
  expect([found.status, Number(found.headers.get('retry-after')) > 0]).toEqual([503, true])
  expect(found.body.error.message).toMatch(/Qdrant/)
  expect(found.body.error.message).not.toContain(new URL(qdrant.url).host)
  expect((await ben.get('/v1/documents')).body.documents).toHaveLength(1)
  const uploaded = await ben.upload([{ name: 'stars.md', content: '# Stars\n\nThe stars are far away.\n' }], { wait: 'false' })
  expect(uploaded.status, JSON.stringify(uploaded.body)).toBeLessThan(300)
  const run = async () => (await ben.get(`/v1/ingestion-runs/${uploaded.body.run_id}`)).body
  await waitFor(async () => JSON.stringify(await run()).includes('Qdrant'), { what: 'a run that says what it waits for' })
  await qdrant.start()
  await waitFor(async () => (await run()).status === 'success', { what: 'the file', timeoutMs: 30_000 })
  expect(await titles(ben, 'stars far away')).toEqual(['Stars'])
  await waitFor(async () => (await ada.get('/health/detailed')).body.status === 'ok', { what: 'health again' })
  expect((await system.root.post('/v1/admin/index/check', {})).body.differences).toEqual([])
  expect(system.logs()).not.toContain(KEY)
}, 90_000)
