import { newId } from '@youworker/runtime/id'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Fixture, startFixture, type TestUser, testUser } from './test-fixture.ts'

const HANDBOOK = '# Handbook\n\n## Leave\n\nEvery employee has 27 days of paid leave.\n\n## Offices\n\nOslo has a sauna.\n'

let fixture: Fixture
beforeAll(async () => {
  fixture = await startFixture()
}, 120_000)
afterAll(() => fixture?.[Symbol.asyncDispose]())

const add = async (user: TestUser, path: string, options = {}, content = HANDBOOK) =>
  (await fixture.ingest(user, { [path]: content }, options)).files[0]?.document_id ?? ''
const stored = (spaceId: string) =>
  fixture.uow.inWithDeleted([spaceId]).read(({ traces }) => traces.count({ space_id: [spaceId] }))
const NOTHING = { documents: 0, chunks: 0, files: 0, file_parts: 0, previews: 0, vectors: 0 }
const found = async (user: TestUser, mode: 'dense' | 'lexical' = 'dense') =>
  (await fixture.find(user, 'paid leave', { mode })).map(({ document_id }) => document_id)
const newGroup = (...members: TestUser[]) => {
  const id = newId()
  fixture.groups.set(id, new Set(members.map((member) => member.id)))
  for (const member of members) fixture.access.dropUser(member.id)
  return id
}
async function contentOf(user: TestUser, document_id: string) {
  const { blob_id } = await fixture.documents.openContent({ document_id }, user)
  return Buffer.from((await fixture.uploads.read({ blob_id, index: 0 }, user)).bytes).toString()
}

test('title, tags and collection change at once, and the new title is found', async () => {
  const user = testUser()
  const document_id = await add(user, 'a.md', { tags: ['old'], collection: 'one' })
  const embedded = fixture.embedded.length
  const change = { document_id, title: 'Zeppelin manual', tags: ['new', 'new'], collection: null }
  expect(await fixture.editor.update(change, user)).toMatchObject({ title: 'Zeppelin manual', tags: ['new'], collection: null })
  const [hit] = await fixture.find(user, 'zeppelin', { mode: 'lexical', tags: ['new'] })
  expect(hit).toMatchObject({ document_id, title: 'Zeppelin manual' })
  expect(await fixture.find(user, 'handbook leave', { tags: ['old'] })).toEqual([])
  expect(fixture.embedded.slice(embedded).filter((text) => text.includes('Every employee'))).toEqual([])
  expect(await fixture.editor.update({ document_id, tags: [] }, user)).toMatchObject({ title: 'Zeppelin manual', tags: [] })
  expect(await found(user)).toContain(document_id)
  expect(await fixture.checker.check({ repair: false }, asRoot()).then(({ differences }) => differences)).toEqual([])
})

test('shared and taken back a document moves with passages, vectors and file; nothing is embedded again or left behind', async () => {
  const [owner, member, stranger] = [testUser(), testUser(), testUser()]
  const group_id = newGroup(owner, member)
  const document_id = await add(owner, 'shared.md')
  const before = await stored(owner.id)
  const embedded = fixture.embedded.length
  expect(await fixture.editor.update({ document_id, group_id }, owner)).toMatchObject({
    id: document_id,
    group_id,
    is_private: false,
  })
  for (const user of [owner, member])
    for (const mode of ['dense', 'lexical'] as const) expect(await found(user, mode)).toContain(document_id)
  expect(await found(stranger)).toEqual([])
  expect([await stored(owner.id), await stored(group_id)]).toEqual([NOTHING, before])
  expect(await contentOf(member, document_id)).toBe(HANDBOOK)

  await fixture.editor.update({ document_id, is_private: true }, owner)
  expect([await found(owner), await found(member)]).toEqual([expect.arrayContaining([document_id]), []])
  await expect(fixture.documents.get({ document_id }, member)).rejects.toMatchObject({ code: 'DOCUMENT_NOT_FOUND' })
  expect([await stored(owner.id), await stored(group_id)]).toEqual([before, NOTHING])
  expect(await contentOf(owner, document_id)).toBe(HANDBOOK)

  await fixture.editor.update({ document_id, is_private: false }, owner)
  await fixture.editor.update({ document_id, group_id: null }, owner)
  expect(await stored(owner.id)).toEqual(before)
  expect(fixture.embedded.slice(embedded).filter((text) => text.includes('Every employee'))).toEqual([])
  expect(await fixture.index.contents(group_id, { limit: 10 })).toEqual([])
  expect(await fixture.checker.check({ repair: false }, asRoot()).then(({ differences }) => differences)).toEqual([])
})

test('vectors that another document of the old space needs stay there', async () => {
  const [owner, member] = [testUser(), testUser()]
  const group_id = newGroup(owner, member)
  const [one, two] = [await add(owner, 'one.md'), await add(owner, 'two.md')]
  await fixture.editor.update({ document_id: one, group_id }, owner)
  expect(await stored(owner.id)).toMatchObject({ documents: 1, vectors: 2 })
  expect(await stored(group_id)).toMatchObject({ documents: 1, vectors: 2 })
  // The same passage is one hit, which names its other places.
  const [hit] = await fixture.find(owner, 'paid leave', { mode: 'dense' })
  expect([hit?.document_id, ...(hit?.also_in ?? []).map(({ document_id }) => document_id)].toSorted()).toEqual(
    [one, two].toSorted(),
  )
})

test('only who brought it moves it, only into groups that they are in, and onto no other document', async () => {
  const [owner, admin, member, stranger] = [testUser(), testUser(), testUser(), testUser()]
  const group_id = newGroup(owner, admin, member)
  fixture.admins.add(`${group_id}/${admin.id}`)
  const foreign = newGroup(stranger)
  const document_id = await add(owner, 'a.md', { group_id })
  const refused = (user: TestUser, change: object) =>
    fixture.editor.update({ document_id, ...change }, user).then(
      () => 'ok',
      ({ code }: { code: string }) => code,
    )
  expect(await refused(stranger, { title: 'x' })).toBe('DOCUMENT_NOT_FOUND')
  expect(await refused(member, { title: 'x' })).toBe('NOT_GROUP_ADMIN')
  expect(await refused(admin, { title: 'Of the admin' })).toBe('ok')
  expect(await refused(admin, { group_id: null })).toBe('NOT_AUTHORIZED')
  expect(await refused(owner, { group_id: foreign })).toBe('GROUP_NOT_FOUND')
  expect(await refused(owner, { group_id: newId() })).toBe('GROUP_NOT_FOUND')
  await add(owner, 'a.md', {}, '# Another\n\nOther text.')
  expect(await refused(owner, { group_id: null })).toBe('CONFLICT')
  expect(await fixture.documents.get({ document_id }, member)).toMatchObject({ title: 'Of the admin', group_id })

  // Who has left moves nothing, not even what they brought.
  fixture.groups.get(group_id)?.delete(owner.id)
  fixture.access.dropUser(owner.id)
  expect(await refused(owner, { title: 'x' })).toBe('DOCUMENT_NOT_FOUND')
})

test('passages come in their order, page by page, with their places in the text', async () => {
  const user = testUser()
  const document_id = await add(user, 'a.md')
  const all = await fixture.documents.listChunks({ document_id, limit: 50 }, user)
  expect(all.total).toBe(all.chunks.length)
  expect(all.chunks.length).toBeGreaterThan(1)
  const first = await fixture.documents.listChunks({ document_id, limit: 1 }, user)
  expect(first).toEqual({ chunks: all.chunks.slice(0, 1), total: all.total, next_after: 0 })
  const rest = await fixture.documents.listChunks({ document_id, limit: 50, after: first.next_after }, user)
  expect(rest).toEqual({ chunks: all.chunks.slice(1), total: all.total })
  const [hit] = await fixture.find(user, 'sauna', { mode: 'lexical' })
  const chunk = all.chunks.find(({ id }) => id === hit?.chunk_id)
  expect(chunk).toMatchObject({ text: hit?.text, start: hit?.start, end: hit?.end })
  await expect(fixture.documents.listChunks({ document_id, limit: 1 }, testUser())).rejects.toMatchObject({
    code: 'DOCUMENT_NOT_FOUND',
  })
})

function asRoot(): TestUser {
  const user = testUser()
  return { ...user, caller: { ...user.caller, is_root: true } }
}
