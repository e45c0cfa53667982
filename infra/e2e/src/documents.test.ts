import { samplePdf } from '@youworker/test-kit/sample-pdf'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestSystem, type TestSystem } from './support/system.ts'
import { failure, type Person, textOf } from './support/person.ts'

let system: TestSystem
let ada: Person

const FILES = [
  {
    name: 'rules/leave.md',
    content:
      '# Handbook\n\n## Leave\n\nEvery employee has 27 days of paid leave a year.\n\n## Travel\n\nTrains are booked second class.\n',
  },
  {
    name: 'office.html',
    content:
      '<html><head><title>Office guide</title></head><body><h1>Office</h1><h2>Keys</h2><p>The spare key to the archive hangs behind the blue cabinet.</p></body></html>',
  },
  {
    name: 'safety.pdf',
    content: samplePdf(
      [['General remarks about the building.'], ['The assembly point in case of fire is the northern car park.']],
      'Fire safety',
    ),
  },
]

beforeAll(async () => {
  system = await startTestSystem()
  ada = await system.newPerson('ada')
  const { status, body } = await ada.upload(FILES)
  expect(status, JSON.stringify(body)).toBe(200)
  expect(body).toMatchObject({ success: true, files_processed: 3, totals: { files: 3 }, errors: [] })
  expect(body.files.map(({ path, status }: Record<string, string>) => [path, status])).toEqual(
    FILES.map(({ name }) => [name, 'success']),
  )
}, 120_000)
afterAll(() => system[Symbol.asyncDispose]())

test.each([
  ['How many days of paid leave does an employee have?', 'Handbook', undefined, '27 days'],
  ['Where does the spare key to the archive hang?', 'Office guide', undefined, 'blue cabinet'],
  ['Where is the assembly point in case of fire?', 'Fire safety', 2, 'northern car park'],
])('%s', async (question, title, page, phrase) => {
  const { events, done } = await ada.chat(question)
  expect(done.metadata.status).toBe('success')
  expect(done.content).toContain(phrase)
  expect(done.content).toBe(textOf(events))
  expect(done.citations[0]).toMatchObject({ title, ...(page ? { page } : {}) })
  for (const { index } of done.citations) expect(done.content).toContain(`[${index}]`)
  const ids = events.map(({ id }) => id)
  expect(ids).toEqual(ids.toSorted((a, b) => a - b))
  expect(events.map(({ event }) => event)).toEqual(expect.arrayContaining(['run', 'status', 'tool', 'token', 'done']))
})

test.each(['hybrid', 'dense', 'lexical'])('%s search finds the passage and says where it is', async (mode) => {
  const { status, body } = await ada.post('/v1/search', { query: 'assembly point fire', mode, top_k: 3 })
  expect(status).toBe(200)
  expect(body.results[0]).toMatchObject({ title: 'Fire safety', page: 2, snippet: expect.stringContaining('assembly point') })
})

test('a document can be listed, read back byte for byte, and erased from search at once', async () => {
  const content = '# Ephemera\n\nThe zeppelin lands on Thursday. Ünïcödé 日本語 🙂\n'
  await ada.upload([{ name: 'ephemera.md', content }], { wait: 'true', tags: '["news"]' })
  const list = await ada.get('/v1/documents?tag=news')
  expect(list.body).toMatchObject({
    total: 1,
    documents: [{ title: 'Ephemera', path: 'ephemera.md', mime: 'text/markdown', tags: ['news'] }],
  })
  const [{ id }] = list.body.documents
  const response = await ada.fetch(`/v1/documents/${id}/content`)
  expect(await response.text()).toBe(content)
  expect(response.headers.get('x-content-type-options')).toBe('nosniff')
  expect(response.headers.get('content-disposition')).toMatch(/^attachment/)
  const range = await ada.fetch(`/v1/documents/${id}/content`, { headers: { range: 'bytes=2-9' } })
  expect([range.status, await range.text()]).toEqual([206, 'Ephemera'])

  const search = () => ada.post('/v1/search', { query: 'zeppelin Thursday' })
  expect((await search()).body.results[0]).toMatchObject({ document_id: id })
  expect((await ada.call('DELETE', `/v1/documents/${id}`)).status).toBe(204)
  expect((await search()).body.results.filter((hit: { document_id: string }) => hit.document_id === id)).toEqual([])
  expect((await ada.get(`/v1/documents/${id}`)).body).toMatchObject(failure('DOCUMENT_NOT_FOUND'))
})

test('the same path again replaces the document', async () => {
  await ada.upload([{ name: 'menu.md', content: '# Menu\n\nOn Friday there is lasagne.' }])
  await ada.upload([{ name: 'menu.md', content: '# Menu\n\nOn Friday there is goulash.' }])
  const { body } = await ada.get('/v1/documents?q=Menu')
  expect(body.total).toBe(1)
  const { results } = (await ada.post('/v1/search', { query: 'Friday lasagne goulash' })).body
  expect(JSON.stringify(results)).toContain('goulash')
  expect(JSON.stringify(results)).not.toContain('lasagne')
})

test('good files run and bad ones say why; with none left nothing is stored', async () => {
  const mixed = await ada.upload([
    { name: 'good.md', content: '# Good\n\nfine' },
    { name: 'empty.md', content: '' },
    { name: 'broken.pdf', content: '%PDF-1.7 and then nothing' },
  ])
  expect(mixed.status).toBe(200)
  expect(mixed.body).toMatchObject({
    success: false,
    files: [
      { status: 'success' },
      { status: 'failed', error: expect.stringContaining('empty') },
      { status: 'failed', error: expect.stringContaining('damaged') },
    ],
  })
  const before = (await ada.get('/v1/ingestion-runs')).body.total
  const bad = await ada.upload([{ name: 'lie.pdf', content: 'no pdf' }])
  expect(bad.status).toBe(415)
  expect(bad.body).toMatchObject(failure('UNSUPPORTED_MEDIA_TYPE'))
  expect((await ada.get('/v1/ingestion-runs')).body.total).toBe(before)
})

test('the same upload with the same key is one run', async () => {
  const form = () => {
    const data = new FormData()
    data.append('files', new Blob(['# Once\n\nOnly once.']), 'once.md')
    data.append('wait', 'true')
    return data
  }
  const send = async (body: FormData) => {
    const response = await ada.fetch('/v1/ingest/upload', { method: 'POST', headers: { 'idempotency-key': 'upload-1' }, body })
    return { status: response.status, body: (await response.json()) as { run_id: string } }
  }
  const [first, second] = [await send(form()), await send(form())]
  expect([first.status, second.status]).toEqual([200, 200])
  expect(second.body.run_id).toBe(first.body.run_id)
  const other = form()
  other.append('tags', 'else')
  expect((await send(other)).status).toBe(409)
})

test('a run that is not waited for shows its progress as a stream and as a task', async () => {
  const { status, body } = await ada.upload([{ name: 'later.md', content: '# Later\n\nSoon.' }], { wait: 'false' })
  expect(status).toBe(202)
  const response = await ada.fetch(`/v1/ingestion-runs/${body.run_id}/events`)
  expect(response.headers.get('content-type')).toContain('text/event-stream')
  expect(await response.text()).toMatch(/"status":"success"/)
  const run = await ada.get(`/v1/ingestion-runs/${body.run_id}`)
  expect(run.body).toMatchObject({ status: 'success', percent: 100, files: [{ stage: 'done', percent: 100 }] })
  const task = await ada.get(`/v1/tasks/${body.run_id}`)
  expect(task.body).toMatchObject({ id: body.run_id, state: 'success' })
  expect((await ada.get('/v1/tasks')).body.tasks).toEqual(expect.arrayContaining([expect.objectContaining({ id: body.run_id })]))
})
