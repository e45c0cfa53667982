import OpenAI, { toFile } from 'openai'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { failure, Person } from './support/person.ts'
import { clientOf } from './support/responses.ts'
import { startTestSystem, type TestSystem } from './support/system.ts'

let system: TestSystem
let ada: Person
let client: OpenAI
beforeAll(async () => {
  system = await startTestSystem()
  ada = await system.newPerson('ada')
  client = clientOf(ada, { maxRetries: 0 })
}, 120_000)
afterAll(() => system?.[Symbol.asyncDispose]())

const TEXT = '# Lighthouse\n\nThe lighthouse keeper is called Quendolin.\n'
const store = (name = 'keeper.md', text = TEXT, more: object = {}) =>
  toFile(Buffer.from(text), name).then((file) => client.files.create({ file, purpose: 'user_data', ...more }))

test('a file is stored, found, read, listed and deleted by the official client', async () => {
  const file = await store('Ключ 日本.md')
  expect(file).toMatchObject({ object: 'file', purpose: 'user_data', status: 'processed', filename: 'Ключ 日本.md' })
  expect(file.id).toMatch(/^file-[0-9a-f-]{36}$/)
  expect(file.bytes).toBe(Buffer.byteLength(TEXT))
  expect(Math.abs(file.created_at - Date.now() / 1_000)).toBeLessThan(60)
  expect(await client.files.retrieve(file.id)).toEqual(file)
  expect((await client.files.waitForProcessing(file.id)).status).toBe('processed')
  expect(await (await client.files.content(file.id)).text()).toBe(TEXT)
  expect((await client.files.list()).data.map(({ id }) => id)).toContain(file.id)
  expect((await client.files.list({ purpose: 'batch' })).data).toEqual([])
  expect(await client.files.delete(file.id)).toEqual({ id: file.id, object: 'file', deleted: true })
  await expect(client.files.retrieve(file.id)).rejects.toBeInstanceOf(OpenAI.NotFoundError)
  await expect(client.files.content(file.id)).rejects.toBeInstanceOf(OpenAI.NotFoundError)
  await expect(client.files.delete(file.id)).rejects.toBeInstanceOf(OpenAI.NotFoundError)
  expect((await client.files.list()).data.map(({ id }) => id)).not.toContain(file.id)
})

test('no search finds what was only stored, and a document that came another way is a file, too', async () => {
  const file = await store('quiet.md', '# Quiet\n\nThe word of the quiet file is Xylomancy.\n')
  expect((await ada.post('/v1/search', { query: 'Xylomancy', mode: 'lexical' })).body.results).toEqual([])
  const { document_id } = (await ada.upload([{ name: 'loud.md', content: TEXT }])).body.files[0]
  expect(await client.files.retrieve(`file-${document_id}`)).toMatchObject({ filename: 'loud.md', purpose: 'assistants' })
  const stored = (await ada.get('/v1/documents')).body.documents.find(({ id }: { id: string }) => file.id.endsWith(id))
  expect(stored).toMatchObject({ title: 'quiet.md', chunk_count: 0, mime: 'text/markdown' })
})

test('files of the same name are different ones, and an empty or unreadable one is stored, too', async () => {
  const [first, second] = [await store('same.md'), await store('same.md', 'other')]
  expect(first.id).not.toBe(second.id)
  expect(await (await client.files.content(first.id)).text()).toBe(TEXT)
  expect(await (await client.files.content(second.id)).text()).toBe('other')
  expect(await store('empty.txt', '')).toMatchObject({ bytes: 0 })
  const bytes = Buffer.alloc(600_000, 7)
  const long = await client.files.create({ file: await toFile(bytes, 'data.bin'), purpose: 'batch' })
  expect(Buffer.from(await (await client.files.content(long.id)).arrayBuffer()).equals(bytes)).toBe(true)
})

test('pages go on behind a file, in both orders, and hold each file once', async () => {
  const ben = await system.newPerson('ben')
  const his = clientOf(ben)
  const made: string[] = []
  for (const name of ['1', '2', '3', '4', '5'])
    made.push((await his.files.create({ file: await toFile(Buffer.from(name), `${name}.txt`), purpose: 'user_data' })).id)
  const all = async (query: OpenAI.FileListParams) => (await Array.fromAsync(his.files.list(query))).map(({ id }) => id)
  expect(await all({ limit: 2, order: 'asc' })).toEqual(made)
  expect(await all({ limit: 2 })).toEqual(made.toReversed())
  const page = await his.files.list({ limit: 2, order: 'asc', after: made[1] ?? '' })
  expect([page.data.map(({ id }) => id), page.has_more]).toEqual([made.slice(2, 4), true])
  expect((await his.files.list({ limit: 5 })).has_more).toBe(false)
  expect((await ben.get('/v1/files?after=file-x')).body).toMatchObject(failure('DOCUMENT_NOT_FOUND'))
  expect((await ben.get(`/v1/files?after=file-${ben.id}`)).status).toBe(404)
})

test('bad forms are refused with what is wrong and store nothing', async () => {
  const before = (await client.files.list()).data.length
  const send = async (fields: Record<string, string>, files = ['a.md']) => {
    const form = new FormData()
    for (const [name, value] of Object.entries(fields)) form.append(name, value)
    for (const name of files) form.append('file', new Blob(['text']), name)
    const response = await ada.fetch('/v1/files', { method: 'POST', body: form })
    return { status: response.status, body: await response.json() }
  }
  const bad = [
    await send({}),
    await send({ purpose: 'fun' }),
    await send({ purpose: 'user_data' }, []),
    await send({ purpose: 'user_data' }, ['a.md', 'b.md']),
    await send({ purpose: 'user_data', 'expires_after[seconds]': '3600' }),
    await send({ purpose: 'user_data', 'expires_after[anchor]': 'created_at', 'expires_after[seconds]': '5' }),
    await send({ purpose: 'user_data', 'expires_after[anchor]': 'now', 'expires_after[seconds]': '3600' }),
  ]
  for (const { status, body } of bad) {
    expect(status).toBe(400)
    expect(body).toMatchObject(failure('VALIDATION_ERROR'))
  }
  expect((await ada.post('/v1/files', { purpose: 'user_data' })).status).toBe(415)
  expect((await client.files.list()).data).toHaveLength(before)
})

test('a file says until when it is kept', async () => {
  const file = await store('brief.md', TEXT, { expires_after: { anchor: 'created_at', seconds: 3_600 } })
  expect(file.expires_at).toBe(file.created_at + 3_600)
  expect((await store('lasting.md')).expires_at).toBeNull()
})

test('a repeated request stores one file', async () => {
  const options = { headers: { 'idempotency-key': 'once' } }
  const send = async (text: string) =>
    client.files.create({ file: await toFile(Buffer.from(text), 'once.md'), purpose: 'user_data' }, options)
  const first = await send('the same')
  expect(await send('the same')).toEqual(first)
  await expect(send('another')).rejects.toBeInstanceOf(OpenAI.ConflictError)
})

test("another user's file is like one that does not exist, and keys reach as far as their scopes", async () => {
  const eve = await system.newPerson('eve')
  const file = await store('private.md')
  for (const [method, path] of [
    ['GET', ''],
    ['GET', '/content'],
    ['DELETE', ''],
  ] as const) {
    const foreign = await eve.call(method, `/v1/files/${file.id}${path}`)
    const unknown = await eve.call(method, `/v1/files/file-${eve.id}${path}`)
    expect([foreign.status, foreign.body.error.message]).toEqual([404, unknown.body.error.message])
  }
  expect((await clientOf(eve).files.list()).data).toEqual([])
  const key = async (scopes: string[]) => {
    const made = await ada.post('/v1/account/api-keys', { name: scopes.join(' '), scopes })
    return new Person(system.api, ada.id, made.body.api_key)
  }
  const reader = await key(['documents:read'])
  expect((await reader.get(`/v1/files/${file.id}`)).status).toBe(200)
  expect((await reader.call('DELETE', `/v1/files/${file.id}`)).status).toBe(403)
  expect((await (await key(['chat'])).get(`/v1/files/${file.id}`)).status).toBe(403)
})
