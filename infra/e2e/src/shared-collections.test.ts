import { waitFor } from '@youworker/test-kit/wait-for'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { canary } from './support/canaries.ts'
import { failure, type Person } from './support/person.ts'
import { startTestSystem, type TestSystem } from './support/system.ts'

let system: TestSystem
let database: pg.Client
let ada: Person
let bob: Person
let cid: Person
const [inside, outside] = [canary('inside'), canary('outside')]
const QUESTION = 'What is the word of the atlas?'
const text = (word: string) => `# Atlas\n\nThe word of the atlas is ${word}.\n`
let atlas: string
let inAtlas: string
let elsewhere: string

/** `ada` has a document in the collection `atlas` and one beside it; `bob` and `cid` are in no space of hers. */
beforeAll(async () => {
  system = await startTestSystem()
  ;[ada, bob, cid] = [await system.newPerson('ada'), await system.newPerson('bob'), await system.newPerson('cid')]
  const first = await ada.upload([{ name: 'maps.md', content: text(inside) }], {
    wait: 'true',
    collection: 'atlas',
    tags: 'seen',
  })
  const second = await ada.upload([{ name: 'other.md', content: text(outside) }], {
    wait: 'true',
    collection: 'rest',
    tags: 'hidden',
  })
  ;[inAtlas, elsewhere] = [first.body.files[0].document_id, second.body.files[0].document_id]
  atlas = (await ada.get('/v1/collections')).body.collections.find(({ name }: { name: string }) => name === 'atlas').id
  database = new pg.Client({ connectionString: system.running.adminUrl })
  await database.connect()
}, 120_000)
afterAll(async () => {
  await database?.end()
  await system?.[Symbol.asyncDispose]()
})

const accessOf = (person: Person, collection = atlas) => `/v1/collections/${collection}/access/${person.id}`
const share = (role: string, person = bob, by = ada, collection = atlas) => by.call('PUT', accessOf(person, collection), { role })
const unshare = (person = bob, by = ada, collection = atlas) => by.call('DELETE', accessOf(person, collection))
const search = async (person: Person, more: object = {}) =>
  (await person.post('/v1/search', { query: QUESTION, top_k: 50, context: 3, ...more })).body.results
const bring = (person: Person, name: string, content: string, fields: Record<string, string> = {}) =>
  person.upload([{ name, content }], { wait: 'true', collection_id: atlas, ...fields })

/** All that a person gets of ada's space, by every way. */
async function seenBy(person: Person) {
  const ids = (answer: { body: { documents: { id: string }[] } }) => answer.body.documents.map(({ id }) => id)
  const status = async (path: string) => (await person.fetch(`/v1/documents/${path}`)).status
  return {
    found: [...new Set((await search(person)).map(({ document_id }: { document_id: string }) => document_id))],
    listed: ids(await person.get('/v1/documents')),
    collections: (await person.get('/v1/collections')).body.collections.map(({ name }: { name: string }) => name),
    explained: (await person.post('/v1/search/explain', { query: QUESTION, document_id: inAtlas })).status,
    read: [await status(inAtlas), await status(`${inAtlas}/content`), await status(`${inAtlas}/chunks`)],
  }
}
const NOTHING = { found: [], listed: [], collections: [], explained: 404, read: [404, 404, 404] }

test('a reader finds and reads the collection in every way, and learns of nothing else in that space', async () => {
  expect(await seenBy(bob)).toEqual(NOTHING)
  expect((await share('reader')).body).toMatchObject({ collection_id: atlas, user_id: bob.id, username: 'bob', role: 'reader' })
  expect(await seenBy(bob)).toEqual({
    found: [inAtlas],
    listed: [inAtlas],
    collections: ['atlas'],
    explained: 200,
    read: [200, 200, 200],
  })
  const got: unknown[] = []
  const get = async (path: string) => {
    const answer = await bob.get(path)
    got.push(answer.body)
    return answer
  }
  expect((await get(`/v1/documents/${inAtlas}`)).body).toMatchObject({ access: 'reader', group_id: null, tags: ['seen'] })
  expect((await get('/v1/collections')).body).toMatchObject({
    collections: [{ id: atlas, access: 'reader', document_count: 1, group_id: null }],
    total: 1,
  })
  expect((await get('/v1/tags')).body.tags).toEqual([])
  expect((await get('/v1/documents')).body.total).toBe(1)
  expect(await (await bob.fetch(`/v1/documents/${inAtlas}/content`)).text()).toBe(text(inside))
  const explained = (await bob.post('/v1/search/explain', { query: QUESTION, document_id: inAtlas })).body
  expect(explained).toMatchObject({ verdict: 'returned', terms: [] })
  const hits = await search(bob)
  expect(hits[0]).not.toHaveProperty('lexical_score')
  const named = await search(bob, { collection: 'atlas' })
  expect(named.map(({ document_id }: { document_id: string }) => document_id)).toEqual([inAtlas])
  const { done } = await bob.chat(QUESTION)
  expect(done.citations.map(({ document_id }) => document_id)).toEqual([inAtlas])
  got.push(
    explained,
    hits,
    named,
    done,
    await search(bob, { collection: 'rest' }),
    await search(bob, { document_ids: [elsewhere] }),
  )
  for (const each of [outside, 'other.md', 'hidden', 'rest'].slice(0, 3)) expect(JSON.stringify(got)).not.toContain(each)

  for (const path of ['', '/content', '/chunks', '/timeline'])
    expect((await bob.get(`/v1/documents/${elsewhere}${path}`)).body).toMatchObject(failure('DOCUMENT_NOT_FOUND'))
  // It tells of other documents with the same bytes.
  expect((await bob.get(`/v1/documents/${inAtlas}/timeline`)).status).toBe(404)
  for (const path of [`?group_id=${ada.id}`, `?collection=rest`])
    expect((await bob.get(`/v1/documents${path}`)).body.documents ?? []).toEqual([])
  expect((await bob.post('/v1/search', { query: QUESTION, space_id: ada.id })).body).toMatchObject(failure('GROUP_NOT_FOUND'))
})

test('a reader changes nothing, and nobody else than the owner says who reads', async () => {
  const denied = failure('NOT_AUTHORIZED')
  expect((await bob.call('PATCH', `/v1/documents/${inAtlas}`, { title: 'Mine' })).body).toMatchObject(denied)
  expect((await bob.call('DELETE', `/v1/documents/${inAtlas}`)).body).toMatchObject(denied)
  expect((await bob.call('DELETE', `/v1/documents/${inAtlas}?purge=true`)).body).toMatchObject(denied)
  expect((await bring(bob, 'new.md', text('new'))).body).toMatchObject(denied)
  for (const [method, path, body] of [
    ['PUT', accessOf(cid), { role: 'reader' }],
    ['PUT', accessOf(bob), { role: 'writer' }],
    ['DELETE', accessOf(cid)],
    ['GET', accessOf(cid)],
    ['GET', `/v1/collections/${atlas}/access`],
    ['DELETE', `/v1/collections/${atlas}`],
  ] as const)
    expect((await bob.call(method, path, body)).body, `${method} ${path}`).toMatchObject(failure('COLLECTION_NOT_FOUND'))
  expect(await seenBy(cid)).toEqual(NOTHING)
  expect((await bob.get(accessOf(bob))).body).toMatchObject({ role: 'reader' })
  expect((await ada.get(`/v1/collections/${atlas}/access`)).body).toMatchObject({
    access: [{ user_id: bob.id, username: 'bob' }],
    total: 1,
  })
})

test('a grant that makes no sense is refused with what is wrong', async () => {
  const nobody = { id: '01890000-0000-7000-8000-000000000000' } as Person
  const eve = await system.newPerson('eve')
  await system.root.call('PATCH', `/v1/admin/users/${eve.id}`, { suspended: true })
  expect((await share('reader', ada)).body).toMatchObject(failure('VALIDATION_ERROR'))
  expect((await share('reader', nobody)).body).toMatchObject(failure('USER_NOT_FOUND'))
  expect((await share('reader', eve)).body.error).toMatchObject({
    code: 'VALIDATION_ERROR',
    message: expect.stringContaining('suspended'),
  })
  expect((await share('owner')).body).toMatchObject(failure('VALIDATION_ERROR'))
  expect((await share('reader', bob, ada, nobody.id)).body).toMatchObject(failure('COLLECTION_NOT_FOUND'))
  expect((await unshare(cid)).body).toMatchObject(failure('USER_NOT_FOUND'))
  expect((await ada.get(accessOf(cid))).body).toMatchObject(failure('USER_NOT_FOUND'))
})

test('a writer adds, replaces, deletes and restores in the collection, and meets nothing of the space outside it', async () => {
  expect((await share('writer')).body).toMatchObject({ role: 'writer' })
  const { body: added } = await bring(bob, 'bobs.md', text('a word of bob'))
  expect(added).toMatchObject({ success: true, errors: [] })
  const id = added.files[0].document_id
  expect((await ada.get(`/v1/documents/${id}`)).body).toMatchObject({ collection: 'atlas', path: 'bobs.md' })
  expect((await ada.get('/v1/documents')).body.total).toBe(3)
  // The next version of it, and of what ada brought.
  expect((await bring(bob, 'bobs.md', text('another word'))).body.files[0].document_id).toBe(id)
  expect((await bring(bob, 'maps.md', text(`${inside} again`))).body.files[0].document_id).toBe(inAtlas)
  // The path and the bytes of a document outside it.
  const same = (await bring(bob, 'other.md', text(outside))).body
  expect(same).toMatchObject({ success: true })
  expect(same.files[0].document_id).not.toBe(elsewhere)
  const timeline = JSON.stringify((await bob.get(`/v1/ingestion-runs/${same.run_id}/timeline`)).body)
  expect(timeline).not.toContain('same bytes')
  expect(await (await ada.fetch(`/v1/documents/${elsewhere}/content`)).text()).toBe(text(outside))
  expect((await bring(bob, 'other.md', text('of bob only'))).body.files[0].document_id).toBe(same.files[0].document_id)

  const change = (body: object) => bob.call('PATCH', `/v1/documents/${same.files[0].document_id}`, body)
  expect((await change({ title: 'Renamed', tags: ['bobs'] })).body).toMatchObject({ title: 'Renamed', access: 'writer' })
  for (const body of [
    { collection: 'rest' },
    { collection: null },
    { group_id: (await bob.post('/v1/groups', { name: 'B' })).body.id },
  ])
    expect((await change(body)).body).toMatchObject(failure('NOT_AUTHORIZED'))
  // Who has taken it out of the collection may take another one in.
  await ada.call('PATCH', `/v1/documents/${same.files[0].document_id}`, { collection: 'rest' })
  const third = (await bring(bob, 'other.md', text('the third'))).body
  expect(third).toMatchObject({ success: true })
  expect(third.files[0].document_id).not.toBe(same.files[0].document_id)

  expect((await bob.call('DELETE', `/v1/documents/${inAtlas}`)).status).toBe(204)
  expect((await ada.get(`/v1/documents/${inAtlas}`)).status).toBe(404)
  expect((await bob.post(`/v1/documents/${inAtlas}/restore`)).body).toMatchObject({ id: inAtlas, access: 'writer' })
  expect((await bob.call('DELETE', `/v1/documents/${third.files[0].document_id}?purge=true`)).status).toBe(204)
  for (const [method, path] of [
    ['DELETE', ''],
    ['DELETE', '?purge=true'],
    ['POST', '/restore'],
    ['PATCH', ''],
  ] as const)
    expect(
      (await bob.call(method, `/v1/documents/${elsewhere}${path}`, method === 'PATCH' ? { title: 'x' } : undefined)).body,
    ).toMatchObject(failure('DOCUMENT_NOT_FOUND'))
  expect((await bring(bob, 'x.md', text('x'), { collection: 'rest' })).body).toMatchObject(failure('VALIDATION_ERROR'))
  await ada.call('DELETE', `/v1/documents/${id}?purge=true`)
})

test('what is taken away is gone at once, by every way', async () => {
  expect((await unshare()).status).toBe(204)
  const after = await seenBy(bob)
  expect({ ...after, found: after.found.filter((id) => id === inAtlas) }).toEqual({ ...NOTHING, collections: after.collections })
  expect(after.collections).toEqual([])
  expect((await bob.chat(QUESTION)).done.citations).toEqual([])
  expect((await bring(bob, 'late.md', text('late'))).body).toMatchObject(failure('COLLECTION_NOT_FOUND'))
  const audited = async () =>
    (
      await database.query(`select actor_id, action, outcome from auth.audit_entries where target_id = $1 order by id`, [
        `${atlas}/${bob.id}`,
      ])
    ).rows.map(({ actor_id, action, outcome }) => [actor_id, action, outcome].join(' '))
  const expected = ['share', 'share', 'unshare'].map((act) => `${ada.id} collection.${act} allowed`)
  await waitFor(async () => (await audited()).length === expected.length, { what: 'the audit entries' })
  expect(await audited()).toEqual(expected)
  // Who was let in leaves by themselves, too.
  await share('reader')
  expect((await seenBy(bob)).listed).toContain(inAtlas)
  expect((await unshare(bob, bob)).status).toBe(204)
  expect((await seenBy(bob)).listed).toEqual([])
})

test('a collection of a group is opened by its admins; it is gone while the group is deleted, and with the collection', async () => {
  const group_id = (await ada.post('/v1/groups', { name: 'Shelf' })).body.id
  await ada.post(`/v1/groups/${group_id}/members`, { username: 'cid' })
  await waitFor(async () => (await cid.get(`/v1/documents?group_id=${group_id}`)).status === 200, { what: 'the membership' })
  const word = canary('shelf')
  const { body } = await cid.upload([{ name: 'shelf.md', content: text(word) }], { wait: 'true', group_id, collection: 'shelf' })
  const id = body.files[0].document_id
  const shelf = (await ada.get(`/v1/collections?group_id=${group_id}`)).body.collections[0].id
  expect((await share('writer', bob, cid, shelf)).body).toMatchObject(failure('NOT_GROUP_ADMIN'))
  expect((await share('writer', cid, ada, shelf)).body).toMatchObject(failure('VALIDATION_ERROR'))
  expect((await share('writer', bob, ada, shelf)).status).toBe(200)
  const reads = async () => (await bob.fetch(`/v1/documents/${id}/content`)).status
  expect(await reads()).toBe(200)
  expect((await bob.get(`/v1/groups/${group_id}`)).status).toBe(404)
  const brought = await bob.upload([{ name: 'of-bob.md', content: text('bob') }], { wait: 'true', collection_id: shelf })
  const bobs = brought.body.files[0].document_id
  expect((await cid.get(`/v1/documents/${bobs}`)).body).toMatchObject({ group_id, collection: 'shelf' })
  // Not into a space of his own: it is the group's now.
  expect((await bob.call('PATCH', `/v1/documents/${bobs}`, { is_private: true })).body).toMatchObject(failure('NOT_AUTHORIZED'))

  expect((await ada.call('DELETE', `/v1/groups/${group_id}`)).status).toBe(204)
  await waitFor(async () => (await reads()) === 404, { what: 'the group to be gone', timeoutMs: 1_000 })
  expect((await seenBy(bob)).listed).toEqual([])
  expect((await ada.post(`/v1/groups/${group_id}/restore`)).status).toBe(200)
  await waitFor(async () => (await reads()) === 200, { what: 'the group to be back' })
  expect((await ada.call('DELETE', `/v1/collections/${shelf}`)).status).toBe(202)
  expect(await reads()).toBe(404)
  await ada.call('DELETE', `/v1/groups/${group_id}?purge=true`)
})

test('a download under way ends when the collection is closed; a deleted user leaves no grant', async () => {
  const long = await ada.upload([{ name: 'long.html', content: `<p>long</p><!-- ${'x'.repeat(12_000_000)} -->` }], {
    wait: 'true',
    collection: 'atlas',
  })
  await share('reader')
  const download = await bob.fetch(`/v1/documents/${long.body.files[0].document_id}/content`)
  const reader = download.body?.getReader()
  expect((await reader?.read())?.value?.length).toBeGreaterThan(0)
  await unshare()
  const rest = async () => {
    for (;;) if ((await reader?.read())?.done !== false) return
  }
  await expect(rest()).rejects.toThrow()

  const grants = async () => Number((await database.query('select count(*) from ingestion.collection_grants')).rows[0].count)
  await share('writer')
  await share('reader', cid)
  expect(await grants()).toBe(2)
  expect((await system.root.call('DELETE', `/v1/admin/users/${bob.id}`)).status).toBe(204)
  await waitFor(async () => (await grants()) === 1, { what: 'the grant of the deleted user' })
  expect((await system.root.call('DELETE', `/v1/admin/users/${ada.id}`)).status).toBe(204)
  await waitFor(async () => (await grants()) === 0, { what: 'the grant of the deleted owner' })
  expect(await seenBy(cid)).toEqual(NOTHING)
})
