import { connect } from 'node:net'
import { text as readText } from 'node:stream/consumers'
import { samplePdf } from '@youworker/test-kit/sample-pdf'
import pg from 'pg'
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
])('"%s" is answered with text and citation of the right document', async (question, title, page, phrase) => {
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

test('a list is read page by page with its cursor, and another text in its place is refused', async () => {
  const titles: string[] = []
  let query = 'limit=1'
  while (query !== '') {
    const { body } = await ada.get(`/v1/documents?${query}`)
    expect(body.total).toBe(3)
    titles.push(...body.documents.map(({ title }: { title: string }) => title))
    query = body.next_after === undefined ? '' : `limit=1&after=${body.next_after}`
  }
  const { body } = await ada.get('/v1/documents')
  expect(titles).toEqual(body.documents.map(({ title }: { title: string }) => title))
  expect(await ada.get('/v1/documents?after=bm90aGluZw')).toMatchObject({ status: 400, body: failure('VALIDATION_ERROR') })
})

test.each(['hybrid', 'dense', 'lexical'])('%s search finds the passage with its title and page', async (mode) => {
  const { status, body } = await ada.post('/v1/search', { query: 'assembly point fire', mode, top_k: 3 })
  expect(status).toBe(200)
  expect(body.results[0]).toMatchObject({ title: 'Fire safety', page: 2, snippet: expect.stringContaining('assembly point') })
})

test('a document is listed, downloaded byte for byte, and erased from search at once', async () => {
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

test('tags are found in any case, and are one tag in every case', async () => {
  await ada.upload([{ name: 'fold.md', content: '# Fold\n\nThe heron waits at the weir.\n' }], {
    wait: 'true',
    tags: '["Ärger","ÄRGER"]',
  })
  for (const tag of ['Ärger', 'ärger', 'A\u0308RGER']) {
    const { body } = await ada.get(`/v1/documents?tag=${encodeURIComponent(tag)}`)
    expect(body.documents.map(({ path, tags }: Record<string, unknown>) => [path, tags])).toEqual([['fold.md', ['ärger']]])
    expect((await ada.post('/v1/search', { query: 'heron', tags: [tag] })).body.results[0]).toMatchObject({ title: 'Fold' })
  }
  expect((await ada.get('/v1/ingestion-runs?limit=1')).body.runs[0].tags).toEqual(['ärger'])
})

test('lists and documents that the client has get 304 until they change; what is large comes compressed', async () => {
  const name = 'The letters of a lighthouse keeper to his sister in the valley.md'
  const { body } = await ada.upload([{ name, content: '# Letters\n\nThe lamp burned all night.\n' }])
  const document = `/v1/documents/${body.files[0].document_id}`
  const ask = (path: string, headers: Record<string, string> = {}) => ada.fetch(path, { headers })
  for (const path of ['/v1/documents', document, '/v1/groups', '/v1/sessions']) {
    const first = await ask(path)
    expect([first.status, first.headers.get('cache-control')]).toEqual([200, 'private, no-cache'])
    const etag = first.headers.get('etag') ?? ''
    const again = await ask(path, { 'if-none-match': etag })
    expect([path, again.status, again.headers.get('etag'), await again.text()]).toEqual([path, 304, etag, ''])
  }
  const before = await ask('/v1/documents', { 'accept-encoding': 'gzip' })
  expect(before.headers.get('content-encoding')).toBe('gzip')
  const plain = await ask('/v1/documents', { 'accept-encoding': 'identity' })
  expect([plain.headers.get('content-encoding'), plain.headers.get('etag')]).toEqual([null, before.headers.get('etag')])
  expect(await plain.text()).toBe(await before.text())
  expect((await ada.call('DELETE', document)).status).toBe(204)
  expect((await ask('/v1/documents', { 'if-none-match': before.headers.get('etag') ?? '' })).status).toBe(200)
  // What streams is sent as it comes, and keys are neither compressed nor kept.
  const stream = await ada.fetch('/v1/chat', {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'accept-encoding': 'gzip' },
    body: JSON.stringify({ text_input: 'What burned?' }),
  })
  expect(stream.headers.get('content-encoding')).toBeNull()
  await stream.body?.cancel()
  const key = await ada.post('/v1/account/api-keys', { name: 'A key' })
  expect([key.headers.get('cache-control'), key.headers.get('etag'), key.headers.get('vary')]).toEqual([
    'no-store',
    null,
    'Origin',
  ])
})

test('a download that the client has cached gets 304', async () => {
  await ada.upload([{ name: 'cached.md', content: '# Cached\n\nOnce is enough.\n' }])
  const path = `/v1/documents/${(await ada.get('/v1/documents?q=Cached')).body.documents[0].id}/content`
  const etag = (await ada.fetch(path)).headers.get('etag') ?? ''
  expect(etag).toMatch(/^"[0-9a-f]{64}"$/)
  const bare = etag.slice(1, -1)
  const status = async (ifNoneMatch: string, more: Record<string, string> = {}) => {
    const response = await ada.fetch(path, { headers: { 'if-none-match': ifNoneMatch, ...more } })
    expect([response.headers.get('etag'), (await response.text()) === '']).toEqual([etag, response.status === 304])
    return response.status
  }
  for (const same of [etag, `W/${etag}`, `"x", ${etag}`, `W/"x", W/${etag} , "y"`, `"a,b",${etag}`, '*', ' * ']) {
    expect([same, await status(same)]).toEqual([same, 304])
  }
  const others = [
    '"x"',
    bare,
    `W/"x", "y"`,
    `"x${bare}"`,
    `"${bare}x"`,
    `"x, ${bare}"`,
    `"${bare.slice(1)}"`,
    '"*"',
    `"x"${bare}"y"`,
  ]
  for (const other of others) expect([other, await status(other)]).toEqual([other, 200])
  expect(await status(etag, { range: 'bytes=0-3' })).toBe(304)
  expect(await status('"x"', { range: 'bytes=0-3' })).toBe(206)
})

/** Sends one request after the other without waiting, and reads until the gateway closes the connection. */
async function pipeline(paths: readonly string[]): Promise<string> {
  const { hostname, port } = new URL(ada.api)
  const requests = paths.map((path, index) => {
    const connection = index === paths.length - 1 ? 'close' : 'keep-alive'
    return `GET ${path} HTTP/1.1\r\nhost: x\r\nx-api-key: ${ada.key}\r\nconnection: ${connection}\r\n\r\n`
  })
  await using socket = connect(Number(port), hostname)
  socket.write(requests.join(''))
  return await readText(socket)
}
const statusesIn = (replies: string) => [...replies.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => status)

test('a request gets one reply, also when it fails after the reply has begun', async () => {
  await ada.upload([{ name: 'large.md', content: `# Large\n\n${'word '.repeat(60_000)}` }])
  const [{ id }] = (await ada.get('/v1/documents?q=Large')).body.documents
  const unknown = '/v1/documents/01890000-0000-7000-8000-000000000000/content'
  expect(statusesIn(await pipeline([unknown, '/health/live']))).toEqual(['404', '200'])
  expect(statusesIn(await pipeline([`/v1/documents/${id}/content`, '/health/live']))).toEqual(['200', '200'])

  const admin = new pg.Client({ connectionString: system.running.adminUrl })
  await admin.connect()
  const { rowCount } = await admin.query(
    'delete from ingestion.blob_pieces where "index" = 1 and blob_id = (select blob_id from ingestion.documents where id = $1)',
    [id],
  )
  await admin.end()
  expect(rowCount).toBe(1)
  const broken = await pipeline([`/v1/documents/${id}/content`, '/health/live'])
  expect(statusesIn(broken)).toEqual(['200'])
  // The client sees that the file is incomplete: the connection ends before the announced length.
  const [head = '', body = ''] = broken.split('\r\n\r\n')
  expect(Number(/content-length: (\d+)/i.exec(head)?.[1])).toBeGreaterThan(300_000)
  expect(body.length).toBe(256 * 1024)
})

test('a second upload with the same path replaces the document', async () => {
  await ada.upload([{ name: 'menu.md', content: '# Menu\n\nOn Friday there is lasagne.' }])
  await ada.upload([{ name: 'menu.md', content: '# Menu\n\nOn Friday there is goulash.' }])
  const { body } = await ada.get('/v1/documents?q=Menu')
  expect(body.total).toBe(1)
  const { results } = (await ada.post('/v1/search', { query: 'Friday lasagne goulash' })).body
  expect(JSON.stringify(results)).toContain('goulash')
  expect(JSON.stringify(results)).not.toContain('lasagne')
})

test('examples are found only while the caller has no other document, or by the name of their collection', async () => {
  const newcomer = await system.newPerson('newcomer')
  const example = { name: 'YouWorker/tour.md', content: '# Tour\n\nThe lighthouse keeper plays the tuba.' }
  await newcomer.upload([example], { wait: 'true', collection: 'youworker-examples' })
  const titles = async (more: object = {}) =>
    (await newcomer.post('/v1/search', { query: 'Which instrument does the lighthouse keeper play?', ...more })).body.results.map(
      ({ title }: { title: string }) => title,
    )
  expect(await titles()).toEqual(['Tour'])
  expect((await newcomer.chat('Which instrument does the lighthouse keeper play?')).done.citations).toMatchObject([
    { title: 'Tour' },
  ])
  const { body } = await newcomer.upload([{ name: 'own.md', content: '# Own\n\nCheese keeps in the lighthouse.' }])
  expect(await titles()).toEqual(['Own'])
  const { citations } = (await newcomer.chat('Which instrument does the lighthouse keeper play?')).done
  expect(JSON.stringify(citations)).not.toContain('Tour')
  expect(await titles({ collection: 'youworker-examples' })).toEqual(['Tour'])
  await newcomer.call('DELETE', `/v1/documents/${body.files[0].document_id}`)
  expect(await titles()).toEqual(['Tour'])

  const { body: team } = await ada.post('/v1/groups', { name: 'Without tubas' })
  await ada.post(`/v1/groups/${team.id}/members`, { username: 'newcomer' })
  await ada.upload([{ name: 'shared.md', content: '# Shared\n\nTea is at four in the lighthouse.' }], {
    wait: 'true',
    group_id: team.id,
  })
  await expect.poll(titles, { timeout: 20_000 }).toEqual(['Shared'])
})

test('valid files of an upload are ingested and invalid ones reported; an upload without a valid one stores nothing', async () => {
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

test('a repeated upload with the same idempotency key starts no second run', async () => {
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

test('an upload with wait=false shows its progress as a stream and as a task', async () => {
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

/** Counts the rows that are ever written to the table of sealed parts, those of deleted files included. */
async function countSealedParts(client: pg.Client): Promise<() => Promise<number>> {
  await client.query(`
    create table public.sealed_parts (blob_id uuid);
    create function public.count_sealed_part() returns trigger language plpgsql security definer
      as 'begin insert into public.sealed_parts values (new.blob_id); return null; end';
    create trigger count_sealed_part after insert on ingestion.blob_pieces
      for each row execute function public.count_sealed_part();`)
  return async () => Number((await client.query<{ n: string }>('select count(*) as n from public.sealed_parts')).rows[0]?.n)
}

test('a file for a group is sealed once when the form names the group before the file, and found by its members either way', async () => {
  const bob = await system.newPerson('bob-of-the-group')
  const { body: team } = await ada.post('/v1/groups', { name: 'Sealed once' })
  await ada.post(`/v1/groups/${team.id}/members`, { username: 'bob-of-the-group' })
  const client = new pg.Client({ connectionString: system.running.adminUrl })
  await client.connect()
  try {
    const sealedParts = await countSealedParts(client)
    // Two parts of 256 KiB.
    const content = `# Minutes\n\nThe harbour crane is blue.\n\n${'Nothing else was said. '.repeat(14_000)}`
    const answer = await ada.upload([{ name: 'first.md', content }], { group_id: team.id, wait: 'true' })
    expect(answer.body).toMatchObject({ success: true })
    expect(await sealedParts()).toBe(2)

    const form = new FormData()
    form.append('files', new Blob(['# Notes\n\nThe ferry leaves at noon.']), 'second.md')
    form.append('group_id', team.id)
    const second = await ada.fetch('/v1/ingest/upload', { method: 'POST', body: form })
    expect(await second.json()).toMatchObject({ success: true })
    for (const [query, phrase] of [
      ['harbour crane', 'crane is blue'],
      ['when does the ferry leave', 'at noon'],
    ] as const) {
      const found = (await bob.post('/v1/search', { query, group_id: team.id })).body.results
      expect(found[0].text).toContain(phrase)
    }
  } finally {
    await client.end()
  }
  const stranger = await system.newPerson('no-member')
  const refused = await stranger.upload([{ name: 'x.md', content: '# X\n\ny' }], { group_id: team.id })
  expect([refused.status, refused.body.error.code]).toEqual([404, 'GROUP_NOT_FOUND'])
})

test('what became of a file is told step by step, for its document and for its run', async () => {
  const { body } = await ada.upload([{ name: 'steps.md', content: '# Steps\n\nFirst things come first.' }])
  const [{ document_id }] = body.files
  const steps = ['fetched', 'sniffed', 'parsed', 'chunked', 'embedded', 'indexed']
  const { versions } = (await ada.get(`/v1/documents/${document_id}/timeline`)).body
  expect(versions.map(({ run_id }: { run_id: string }) => run_id)).toEqual([body.run_id])
  expect(versions[0].entries.map(({ step }: { step: string }) => step)).toEqual(steps)
  const times = versions[0].entries.map(({ at }: { at: string }) => Date.parse(at))
  expect(times).toEqual(times.toSorted((a: number, b: number) => a - b))
  const { files } = (await ada.get(`/v1/ingestion-runs/${body.run_id}/timeline`)).body
  expect(files).toEqual([{ path: 'steps.md', document_id, status: 'success', entries: versions[0].entries }])
  expect((await ada.post(`/v1/ingestion-runs/${body.run_id}/pause`, {})).status).toBe(409)
  expect((await ada.post(`/v1/ingestion-runs/${body.run_id}/retry`, { stage: 'baking' })).status).toBe(400)
})
