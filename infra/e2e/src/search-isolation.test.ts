import pg from 'pg'
import { waitFor } from '@youworker/test-kit/wait-for'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { failure, type Person } from './support/person.ts'
import { startTestSystem, type TestSystem } from './support/system.ts'

const DEADLINE_MS = 4_000
/** Of one caller at a time. */
const MOST = 32

let system: TestSystem
let ada: Person
let bob: Person

beforeAll(async () => {
  system = await startTestSystem({ env: { API__DEADLINE_MS: String(DEADLINE_MS) } })
  ada = await system.newPerson('ada')
  bob = await system.newPerson('bob')
  for (const person of [ada, bob]) {
    const { status } = await person.upload([{ name: 'note.md', content: 'The boat lies at the northern pier.' }], {})
    expect(status).toBeLessThan(300)
  }
  for (const person of [ada, bob])
    await waitFor(async () => (await search(person)).body.results?.length > 0, { what: 'the first document' })
}, 120_000)
afterAll(() => system[Symbol.asyncDispose]())

const search = (person: Person, mode = 'hybrid') => person.post('/v1/search', { query: 'northern pier', mode })

/** What a search reads last cannot be read until `work` has ended; a list of documents, a file and an upload do not need it. */
async function whileSearchesHang(work: () => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString: system.running.adminUrl })
  await client.connect()
  try {
    await client.query('begin; lock table ingestion.chunks in access exclusive mode')
    await work()
  } finally {
    await client.end()
  }
}

test('searches that take too long stop no document, upload or run, nor later searches', async () => {
  await whileSearchesHang(async () => {
    for (let round = 0; round < 2; round += 1) {
      const flood = await Promise.all(Array.from({ length: 8 }, () => search(ada)))
      for (const { status, headers } of flood) {
        expect([503, 504]).toContain(status)
        expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
      }
    }
    const { status, body } = await bob.get('/v1/documents')
    expect([status, body.total]).toEqual([200, 1])
    const [{ id }] = body.documents
    expect((await bob.fetch(`/v1/documents/${id}/content`)).status).toBe(200)
    const upload = await bob.upload([{ name: 'later.md', content: 'A second note about the lighthouse.' }], {})
    expect(upload.status).toBeLessThan(300)
    expect((await bob.get('/v1/ingestion-runs')).status).toBe(200)
  })
  for (const person of [ada, bob])
    await waitFor(async () => (await search(person)).status === 200, { what: 'an answer after the flood' })
  await waitFor(async () => (await bob.post('/v1/search', { query: 'lighthouse' })).body.results?.length > 0, {
    what: 'the document that came meanwhile',
  })
})

test('a caller with too many searches at a time is told to wait, and the others are not', async () => {
  await whileSearchesHang(async () => {
    const many = Promise.all(Array.from({ length: MOST + 8 }, () => search(ada, 'lexical')))
    const answers = await many
    const refused = answers.filter(({ body }) => String(body.error?.message).startsWith(`You have ${MOST} searches`))
    expect(refused).toHaveLength(8)
    for (const { status, headers, body } of refused) {
      expect([status, headers.get('retry-after')]).toEqual([503, '1'])
      expect(body).toMatchObject(failure('SERVICE_UNAVAILABLE'))
    }
  })
  await waitFor(async () => (await search(ada, 'lexical')).status === 200, { what: 'an answer to who had asked too much' })
})
