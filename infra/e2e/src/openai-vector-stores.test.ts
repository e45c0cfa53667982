import OpenAI, { toFile } from 'openai'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { failure, type Person } from './support/person.ts'
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

const SOON = { pollIntervalMs: 100 }
const fileOf = (name: string, text: string) => toFile(Buffer.from(text), name)
const stored = async (name: string, text: string, by = client) =>
  by.files.create({ file: await fileOf(name, text), purpose: 'assistants' })
const about = (word: string, colour: string) => `# ${word}\n\nThe ${word} is painted ${colour}.\n`
const found = async (id: string, query: string | string[], more: object = {}) =>
  (await client.vectorStores.search(id, { query, ...more })).data

test('a store is made, found, changed, listed and deleted; its files stay', async () => {
  const metadata = { owner: 'ada' }
  const store = await client.vectorStores.create({ name: 'Boats', metadata, description: 'all of them' })
  expect(store).toMatchObject({ object: 'vector_store', name: 'Boats', metadata, status: 'completed', usage_bytes: 0 })
  expect(store.id).toMatch(/^vs_[0-9a-f-]{36}$/)
  expect(await client.vectorStores.retrieve(store.id)).toEqual(store)
  const changed = await client.vectorStores.update(store.id, {
    name: 'Ships',
    metadata: { owner: 'ben' },
    expires_after: { anchor: 'last_active_at', days: 3 },
  })
  expect(changed).toMatchObject({ name: 'Ships', metadata: { owner: 'ben' }, expires_after: { days: 3 } })
  expect(changed.expires_at).toBe((changed.last_active_at ?? 0) + 3 * 86_400)
  expect((await client.vectorStores.list()).data.map(({ id }) => id)).toContain(store.id)
  const file = await client.vectorStores.files.uploadAndPoll(store.id, await fileOf('hull.md', about('hull', 'teal')), SOON)
  expect(file).toMatchObject({ object: 'vector_store.file', status: 'completed', last_error: null, vector_store_id: store.id })
  expect(await client.vectorStores.delete(store.id)).toEqual({ id: store.id, object: 'vector_store.deleted', deleted: true })
  await expect(client.vectorStores.retrieve(store.id)).rejects.toBeInstanceOf(OpenAI.NotFoundError)
  await expect(client.vectorStores.search(store.id, { query: 'hull' })).rejects.toBeInstanceOf(OpenAI.NotFoundError)
  await expect(client.vectorStores.files.list(store.id)).rejects.toBeInstanceOf(OpenAI.NotFoundError)
  expect((await client.files.retrieve(file.id)).filename).toBe('hull.md')
})

test('a stored file is read when it is put into a store, keeps its id, and is found there and in the collection', async () => {
  const file = await stored('keel.md', about('keel', 'ochre'))
  const store = await client.vectorStores.create({ name: 'Keels' })
  const attached = await client.vectorStores.files.createAndPoll(store.id, { file_id: file.id }, SOON)
  expect(attached).toMatchObject({ id: file.id, status: 'completed', usage_bytes: file.bytes })
  expect(await client.vectorStores.retrieve(store.id)).toMatchObject({
    status: 'completed',
    usage_bytes: file.bytes,
    file_counts: { completed: 1, in_progress: 0, failed: 0, cancelled: 0, total: 1 },
  })
  const [hit] = await found(store.id, 'How is the keel painted?')
  expect(hit).toMatchObject({ file_id: file.id, filename: 'keel.md', attributes: {} })
  expect(hit?.content[0]?.text).toContain('ochre')
  const { documents } = (await ada.get('/v1/documents?collection=Keels')).body
  expect(documents).toMatchObject([{ id: file.id.slice(5), collection: 'Keels', chunk_count: 1 }])
  const content = await client.vectorStores.files.content(file.id, { vector_store_id: store.id })
  expect(content.data.map(({ text }) => text).join('\n')).toContain('painted ochre')
  expect(await (await client.files.content(file.id)).text()).toBe(about('keel', 'ochre'))
})

test('documents that our own API put into the collection are files of the store', async () => {
  const store = await client.vectorStores.create({ name: 'Masts' })
  const { body } = await ada.upload([{ name: 'mast.md', content: about('mast', 'vermilion') }], { collection: 'Masts' })
  const id = `file-${body.files[0].document_id}`
  expect((await client.vectorStores.files.list(store.id)).data).toMatchObject([{ id, status: 'completed', attributes: {} }])
  expect((await found(store.id, 'mast')).map(({ file_id }) => file_id)).toEqual([id])
  const attributes = { year: 1999 }
  expect(await client.vectorStores.files.update(id, { vector_store_id: store.id, attributes })).toMatchObject({ attributes })
  expect((await client.vectorStores.retrieve(store.id)).file_counts.total).toBe(1)
  await client.vectorStores.files.delete(id, { vector_store_id: store.id })
  expect((await client.vectorStores.files.list(store.id)).data).toEqual([])
  expect(await found(store.id, 'mast')).toEqual([])
  expect((await ada.get(`/v1/documents/${body.files[0].document_id}`)).body.collection).toBeNull()
})

test('batches are read together, each file with its end; what cannot be read says why', async () => {
  const store = await client.vectorStores.create({})
  expect(store.name).toBe('')
  const files = await Promise.all([1, 2, 3].map((n) => fileOf(`deck-${n}.md`, about(`deck number ${n}`, `colour${n}`))))
  const noise = Buffer.from(Array.from({ length: 5_000 }, (_, n) => (n * 7_919) % 256))
  const binary = await client.files.create({ file: await toFile(noise, 'x.bin'), purpose: 'user_data' })
  const empty = await stored('empty.txt', '')
  const archive = await toFile(Buffer.concat([Buffer.from([0x50, 0x4b, 3, 4]), noise]), 'broken.docx')
  const broken = await client.files.create({ file: archive, purpose: 'user_data' })
  const fileIds = [binary.id, empty.id, broken.id]
  const batch = await client.vectorStores.fileBatches.uploadAndPoll(store.id, { files, fileIds }, SOON)
  expect(batch).toMatchObject({ object: 'vector_store.files_batch', status: 'completed', vector_store_id: store.id })
  expect(batch.file_counts).toEqual({ in_progress: 0, completed: 3, failed: 3, cancelled: 0, total: 6 })
  const of = { vector_store_id: store.id }
  const failed = await Array.fromAsync(client.vectorStores.fileBatches.listFiles(batch.id, { ...of, filter: 'failed', limit: 2 }))
  expect(failed.map(({ id }) => id).toSorted()).toEqual(fileIds.toSorted())
  const errors = new Map(failed.map(({ id, last_error }) => [id, last_error]))
  expect(errors.get(binary.id)).toEqual({ code: 'unsupported_file', message: expect.stringContaining('kinds that are read') })
  expect(errors.get(empty.id)?.message).toContain('empty')
  expect(errors.get(broken.id)).toMatchObject({ code: 'invalid_file' })
  expect((await client.vectorStores.files.list(store.id, { filter: 'completed' })).data).toHaveLength(3)
  await expect(client.vectorStores.fileBatches.retrieve(`vsfb_${ada.id}`, of)).rejects.toBeInstanceOf(OpenAI.NotFoundError)
  const unknown = { file_ids: [files.length > 0 ? binary.id : '', `file-${ada.id}`] }
  await expect(client.vectorStores.fileBatches.create(store.id, unknown)).rejects.toBeInstanceOf(OpenAI.NotFoundError)
})

test('searches are narrowed by attributes, compared and combined, by how many and by score', async () => {
  const store = await client.vectorStores.create({ name: 'Sails' })
  const one = async (name: string, attributes: Record<string, string | number | boolean>) => {
    const { id } = await stored(`${name}.md`, about(`sail called ${name}`, 'white'))
    await client.vectorStores.files.createAndPoll(store.id, { file_id: id, attributes }, SOON)
  }
  await one('jib', { area: 10, make: 'north', used: false })
  await one('genoa', { area: 30, make: 'south', used: true })
  await one('spinnaker', { area: 90, make: 'north' })
  type Filter = OpenAI.VectorStoreSearchParams['filters']
  const names = async (filters: Filter) =>
    (await found(store.id, 'sail', { filters })).map(({ filename }) => filename.replace('.md', '')).toSorted()
  expect(await names({ type: 'eq', key: 'make', value: 'north' })).toEqual(['jib', 'spinnaker'])
  expect(await names({ type: 'ne', key: 'used', value: true })).toEqual(['jib', 'spinnaker'])
  expect(await names({ type: 'gt', key: 'area', value: 10 })).toEqual(['genoa', 'spinnaker'])
  expect(await names({ type: 'lte', key: 'area', value: 30 })).toEqual(['genoa', 'jib'])
  expect(await names({ type: 'in', key: 'make', value: ['south', 'west'] })).toEqual(['genoa'])
  expect(await names({ type: 'nin', key: 'area', value: [10, 30] })).toEqual(['spinnaker'])
  const north = { type: 'eq', key: 'make', value: 'north' } as const
  const large = { type: 'gte', key: 'area', value: 90 } as const
  expect(await names({ type: 'and', filters: [north, large] })).toEqual(['spinnaker'])
  expect(
    await names({
      type: 'or',
      filters: [
        { type: 'and', filters: [north, large] },
        { type: 'eq', key: 'used', value: true },
      ],
    }),
  ).toEqual(['genoa', 'spinnaker'])
  expect(await names({ type: 'eq', key: '__proto__', value: 'x' })).toEqual([])
  expect(await found(store.id, 'sail', { max_num_results: 2 })).toHaveLength(2)
  expect(
    (await found(store.id, ['jib', 'genoa']))
      .map(({ filename }) => filename)
      .slice(0, 2)
      .toSorted(),
  ).toEqual(['genoa.md', 'jib.md'])
  const scores = (await found(store.id, 'jib')).map(({ score }) => score)
  expect(scores).toEqual(scores.toSorted((a, b) => b - a))
  const best = scores[0] ?? 0
  expect(await found(store.id, 'jib', { ranking_options: { score_threshold: best } })).toHaveLength(
    scores.filter((score) => score >= best).length,
  )
  expect((await client.vectorStores.search(store.id, { query: 'jib', rewrite_query: true })).data.length).toBeGreaterThan(0)
})

test('a file can be in several stores, of equal names, too; taken out of one it stays in the other', async () => {
  const [first, second] = [await client.vectorStores.create({ name: 'Twin' }), await client.vectorStores.create({ name: 'Twin' })]
  expect([first.name, second.name, first.id === second.id]).toEqual(['Twin', 'Twin', false])
  const file = await stored('oar.md', about('oar', 'umber'))
  const [one, two] = await Promise.all(
    [first, second].map(({ id }) =>
      client.vectorStores.files.createAndPoll(id, { file_id: file.id, attributes: { at: id } }, SOON),
    ),
  )
  expect([one?.status, two?.status]).toEqual(['completed', 'completed'])
  expect((await found(first.id, 'oar'))[0]?.attributes).toEqual({ at: first.id })
  expect((await found(second.id, 'oar'))[0]?.attributes).toEqual({ at: second.id })
  await client.vectorStores.files.delete(file.id, { vector_store_id: first.id })
  expect(await found(first.id, 'oar')).toEqual([])
  expect(await found(second.id, 'oar')).toHaveLength(1)
  expect(await (await client.files.content(file.id)).text()).toContain('umber')
  await client.files.delete(file.id)
  expect(await found(second.id, 'oar')).toEqual([])
  expect((await client.vectorStores.files.list(second.id)).data).toEqual([])
  expect((await client.vectorStores.retrieve(second.id)).file_counts.total).toBe(0)
})

test('lists go on behind and before a row, in both orders', async () => {
  const ben = clientOf(await system.newPerson('ben'))
  const ids: string[] = []
  for (const name of ['a', 'b', 'c', 'd', 'e']) ids.push((await ben.vectorStores.create({ name })).id)
  const all = async (query: OpenAI.VectorStoreListParams) =>
    (await Array.fromAsync(ben.vectorStores.list(query))).map(({ id }) => id)
  expect(await all({ limit: 2, order: 'asc' })).toEqual(ids)
  expect(await all({ limit: 2 })).toEqual(ids.toReversed())
  const before = await ben.vectorStores.list({ order: 'asc', before: ids[3] ?? '', limit: 2 })
  expect([before.data.map(({ id }) => id), before.has_more]).toEqual([ids.slice(1, 3), true])
  const store = ids[0] ?? ''
  const files = await Promise.all(['1', '2', '3', '4', '5'].map((name) => stored(`${name}.md`, about(name, name), ben)))
  const batch = { files: files.map(({ id }, n) => ({ file_id: id, attributes: { n } })) }
  expect((await ben.vectorStores.fileBatches.createAndPoll(store, batch, SOON)).file_counts.completed).toBe(5)
  const listed = await Array.fromAsync(ben.vectorStores.files.list(store, { limit: 2, order: 'asc' }))
  expect(listed.map(({ id }) => id).toSorted()).toEqual(files.map(({ id }) => id).toSorted())
  expect(listed.map(({ attributes }) => attributes?.['n']).toSorted()).toEqual([0, 1, 2, 3, 4])
})

test('a batch is cancelled, and a file that is deleted while it is read does not come back', async () => {
  const store = await client.vectorStores.create({ name: 'Slow' })
  const texts = Array.from({ length: 40 }, (_, n) =>
    stored(`slow-${n}.md`, Array.from({ length: 400 }, (_row, row) => about(`rope ${n} ${row}`, 'grey')).join('\n')),
  )
  const files = await Promise.all(texts)
  const batch = await client.vectorStores.fileBatches.create(store.id, { file_ids: files.map(({ id }) => id) })
  expect(batch).toMatchObject({ status: 'in_progress', file_counts: { total: 40 } })
  expect((await client.vectorStores.retrieve(store.id)).status).toBe('in_progress')
  const gone = files.at(-1)?.id ?? ''
  await client.files.delete(gone)
  await client.vectorStores.fileBatches.cancel(batch.id, { vector_store_id: store.id })
  const ended = await client.vectorStores.fileBatches.poll(store.id, batch.id, SOON)
  expect(ended.status).toBe('cancelled')
  expect(ended.file_counts.total).toBe(39)
  expect(ended.file_counts.cancelled).toBeGreaterThan(0)
  const { documents } = (await ada.get(`/v1/documents?q=${gone.slice(5)}`)).body
  expect(documents).toEqual([])
  // What was not read can be put in again.
  const again = (await client.vectorStores.files.list(store.id, { filter: 'cancelled' })).data[0]?.id ?? ''
  expect((await client.vectorStores.files.createAndPoll(store.id, { file_id: again }, SOON)).status).toBe('completed')
})

test('bad requests are refused with what is wrong', async () => {
  const store = await client.vectorStores.create({ name: 'Refusals' })
  const file = await stored('tar.md', about('tar', 'black'))
  const path = `/v1/vector_stores/${store.id}`
  const deep = Array.from({ length: 9 }).reduce<object>((filters) => ({ type: 'and', filters: [filters] }), {
    type: 'eq',
    key: 'a',
    value: 1,
  })
  const many = { type: 'or', filters: Array.from({ length: 101 }, () => ({ type: 'eq', key: 'a', value: 1 })) }
  const bad: [string, object][] = [
    ['/v1/vector_stores', { name: 'x'.repeat(300) }],
    ['/v1/vector_stores', { metadata: { a: 1 } }],
    ['/v1/vector_stores', { expires_after: { anchor: 'created_at', days: 1 } }],
    [
      '/v1/vector_stores',
      { chunking_strategy: { type: 'static', static: { max_chunk_size_tokens: 100, chunk_overlap_tokens: 99 } } },
    ],
    [`${path}/files`, {}],
    [`${path}/files`, { file_id: file.id, attributes: { nested: { a: 1 } } }],
    [`${path}/files`, { file_id: file.id, attributes: Object.fromEntries(Array.from({ length: 17 }, (_, n) => [`k${n}`, n])) }],
    [`${path}/file_batches`, {}],
    [`${path}/file_batches`, { file_ids: [file.id], files: [{ file_id: file.id }] }],
    [`${path}/search`, {}],
    [`${path}/search`, { query: '' }],
    [`${path}/search`, { query: 'tar', max_num_results: 51 }],
    [`${path}/search`, { query: 'tar', filters: deep }],
    [`${path}/search`, { query: 'tar', filters: many }],
    [`${path}/search`, { query: 'tar', filters: { type: 'like', key: 'a', value: 'x' } }],
    [`${path}/search`, { query: 'tar', ranking_options: { score_threshold: 2 } }],
  ]
  for (const [route, body] of bad) {
    const answer = await ada.post(route, body)
    expect([route, JSON.stringify(body).slice(0, 80), answer.status]).toEqual([route, JSON.stringify(body).slice(0, 80), 400])
    expect(answer.body).toMatchObject(failure('VALIDATION_ERROR'))
  }
  expect((await client.vectorStores.files.list(store.id)).data).toEqual([])
  const key = { headers: { 'idempotency-key': 'store' } }
  const made = await client.vectorStores.create({ name: 'Again' }, key)
  expect((await client.vectorStores.create({ name: 'Again' }, key)).id).toBe(made.id)
})

test("another user's store and files are like those that do not exist; members of a group share its stores", async () => {
  const [eve, mia] = [await system.newPerson('eve'), await system.newPerson('mia')]
  const [hers, mias] = [clientOf(eve, { maxRetries: 0 }), clientOf(mia, { maxRetries: 0 })]
  const file = await stored('secret.md', about('secret', 'indigo'))
  const store = await client.vectorStores.create({ name: 'Secret', file_ids: [file.id] })
  const batch = await client.vectorStores.fileBatches.createAndPoll(store.id, { file_ids: [file.id] }, SOON)
  const own = await hers.vectorStores.create({ name: 'Own' })
  const path = `/v1/vector_stores/${store.id}`
  const calls: [string, string, object?][] = [
    ['GET', path],
    ['POST', path, { name: 'Mine' }],
    ['DELETE', path],
    ['POST', `${path}/search`, { query: 'secret' }],
    ['GET', `${path}/files`],
    ['POST', `${path}/files`, { file_id: file.id }],
    ['GET', `${path}/files/${file.id}`],
    ['POST', `${path}/files/${file.id}`, { attributes: {} }],
    ['DELETE', `${path}/files/${file.id}`],
    ['GET', `${path}/files/${file.id}/content`],
    ['POST', `${path}/file_batches`, { file_ids: [file.id] }],
    ['GET', `${path}/file_batches/${batch.id}`],
    ['GET', `${path}/file_batches/${batch.id}/files`],
    ['POST', `${path}/file_batches/${batch.id}/cancel`],
    ['POST', `/v1/vector_stores/${own.id}/files`, { file_id: file.id }],
    ['GET', `/v1/vector_stores/${own.id}/file_batches/${batch.id}`],
    ['GET', `/v1/vector_stores/${own.id}/files/${file.id}`],
    ['GET', `/v1/vector_stores?after=${store.id}`],
  ]
  for (const [method, route, body] of calls) {
    const foreign = await eve.call(method, route, body)
    const unknown = await eve.call(method, route.replace(store.id, `vs_${eve.id}`).replace(batch.id, `vsfb_${eve.id}`), body)
    expect([method, route, foreign.status]).toEqual([method, route, 404])
    expect(foreign.body.error.message).toBe(unknown.body.error.message)
  }
  expect((await hers.vectorStores.list()).data.map(({ id }) => id)).toEqual([own.id])
  const query = { query: 'secret', collection_ids: [store.id.slice(3)] }
  expect((await eve.post('/v1/search', query)).body).toMatchObject(failure('COLLECTION_NOT_FOUND'))

  const group_id = (await ada.post('/v1/groups', { name: 'Crew' })).body.id
  await ada.post(`/v1/groups/${group_id}/members`, { user_id: mia.id })
  const shared = (await ada.post('/v1/vector_stores', { name: 'Crew files', group_id })).body
  expect(shared).toMatchObject({ group_id })
  const fromAda = await stored('rota.md', about('rota', 'amber'))
  expect((await ada.post(`/v1/vector_stores/${shared.id}/files`, { file_id: fromAda.id })).status).toBe(404)
  await ada.call('PATCH', `/v1/documents/${fromAda.id.slice(5)}`, { group_id })
  expect((await client.vectorStores.files.create(shared.id, { file_id: fromAda.id })).id).toBe(fromAda.id)
  await expect
    .poll(async () => (await mias.vectorStores.files.retrieve(fromAda.id, { vector_store_id: shared.id })).status, {
      timeout: 20_000,
    })
    .toBe('completed')
  expect((await mias.vectorStores.search(shared.id, { query: 'rota' })).data).toHaveLength(1)
  for (const call of [() => mias.vectorStores.update(shared.id, { name: 'x' }), () => mias.vectorStores.delete(shared.id)])
    await expect(call()).rejects.toBeInstanceOf(OpenAI.PermissionDeniedError)
  await ada.call('DELETE', `/v1/groups/${group_id}/members/${mia.id}`)
  await expect.poll(() => mia.get(`/v1/vector_stores/${shared.id}`).then(({ status }) => status), { timeout: 1_000 }).toBe(404)
})
