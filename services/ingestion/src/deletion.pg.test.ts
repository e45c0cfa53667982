import { newId } from '@youworker/runtime/id'
import { silentLogger } from '@youworker/runtime/logger'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eraseDeleted } from '@youworker/database/deletion/erase-deleted'
import { eraseExpired } from './services/documents/document-erasure.ts'
import { type Fixture, startFixture, type TestUser, testUser } from './test-fixture.ts'

const HANDBOOK = '# Handbook\n\n## Leave\n\nEvery employee has 27 days of paid leave a year.\n\n## Offices\n\nOslo has a sauna.\n'
const page = { limit: 10, offset: 0 }

let fixture: Fixture
beforeAll(async () => {
  fixture = await startFixture()
}, 120_000)
afterAll(() => fixture?.[Symbol.asyncDispose]())

const add = async (user: TestUser, files: Record<string, string>, options = {}) =>
  (await fixture.ingest(user, files, options)).files.map(({ document_id }) => document_id ?? '')
const titles = async (user: TestUser, query = 'leave sauna') => (await fixture.find(user, query)).map(({ uri }) => uri)
const sweep = (verify = fixture.verifier.verify.bind(fixture.verifier)) =>
  eraseDeleted({ uow: fixture.uow, table: 'documents', logger: silentLogger(), erase: eraseExpired, verify })
const receiptsOf = async (user: TestUser, target_id?: string) =>
  (await fixture.deletion.listErasures({ ...page, target_id }, user)).erasures
const later = (user: TestUser) =>
  fixture.database.transact({ spaces: user.id, deleted: true }, 'write', ({ trx }) =>
    trx.updateTable('documents').set({ erase_after: '2020-01-01T00:00:00Z' }).where('deleted_at', 'is not', null).execute(),
  )
const stored = async (spaceId: string) =>
  fixture.uow.inWithDeleted([spaceId]).read(({ traces }) => traces.count({ space_id: [spaceId] }))

test('a deleted document is gone at once and comes back as it was, with its vectors', async () => {
  const user = testUser()
  const [document_id = ''] = await add(user, { 'a.md': HANDBOOK }, { tags: ['hr'], collection: 'rules' })
  const before = await fixture.documents.get({ document_id }, user)
  const { blob_id } = await fixture.documents.openContent({ document_id }, user)
  const [hit] = await fixture.find(user, 'leave')
  const [embedded, kept] = [fixture.embedded.length, await stored(user.id)]

  await fixture.deletion.delete({ document_id }, user)
  expect(await titles(user)).toEqual([])
  for (const call of ['get', 'openContent'] as const)
    await expect(fixture.documents[call]({ document_id }, user)).rejects.toMatchObject({ code: 'DOCUMENT_NOT_FOUND' })
  await expect(fixture.uploads.read({ blob_id, index: 0 }, user)).rejects.toMatchObject({ code: 'BLOB_NOT_FOUND' })
  expect((await fixture.documents.list(page, user)).total).toBe(0)
  expect((await fixture.documents.sumCollections({}, user)).collections).toEqual([])
  await expect(fixture.deletion.delete({ document_id }, user)).rejects.toMatchObject({ code: 'DOCUMENT_NOT_FOUND' })
  expect(await fixture.index.contents(user.id, { limit: 10 })).toEqual([])
  const { documents } = await fixture.documents.list({ ...page, include_deleted: true }, user)
  expect(documents).toEqual([{ ...before, deleted_at: expect.any(String), restorable_until: expect.any(String) }])
  const [{ deleted_at = '', restorable_until = '' } = {}] = documents
  expect(Date.parse(restorable_until) - Date.parse(deleted_at)).toBe(30 * 24 * 3_600_000)

  expect(await fixture.deletion.restore({ document_id }, user)).toEqual(before)
  expect(await fixture.deletion.restore({ document_id }, user)).toEqual(before)
  expect((await fixture.find(user, 'leave'))[0]?.chunk_id).toBe(hit?.chunk_id)
  // The questions of this test are all that was embedded.
  expect(fixture.embedded.slice(embedded).filter((text) => text.includes('27 days'))).toEqual([])
  expect(await stored(user.id)).toEqual(kept)
  expect((await fixture.uploads.read({ blob_id, index: 0 }, user)).bytes.length).toBe(HANDBOOK.length)
  expect(await receiptsOf(user)).toEqual([])
})

test('the path of a deleted document is free, and then the old one does not come back to it', async () => {
  const user = testUser()
  const [old = ''] = await add(user, { 'a.md': HANDBOOK })
  await fixture.deletion.delete({ document_id: old }, user)
  const [fresh = ''] = await add(user, { 'a.md': HANDBOOK })
  expect(fresh).not.toBe(old)
  await expect(fixture.deletion.restore({ document_id: old }, user)).rejects.toMatchObject({ code: 'CONFLICT' })
  await fixture.deletion.delete({ document_id: fresh, purge: true }, user)
  expect((await fixture.deletion.restore({ document_id: old }, user)).id).toBe(old)
  expect(await titles(user)).toContain('upload://a.md')
})

test('after its time it is erased with everything, and a receipt tells what was removed and when that was verified', async () => {
  const user = testUser()
  const [gone = '', waits = ''] = await add(user, { 'a.md': HANDBOOK, 'b.md': '# Diary\n\nThe sauna was hot.' })
  await fixture.deletion.delete({ document_id: gone }, user)
  await sweep()
  expect(await receiptsOf(user)).toEqual([])
  await later(user)
  await fixture.deletion.delete({ document_id: waits }, user)
  await sweep()
  await expect(fixture.deletion.restore({ document_id: gone }, user)).rejects.toMatchObject({ code: 'DOCUMENT_NOT_FOUND' })
  expect((await fixture.deletion.restore({ document_id: waits }, user)).id).toBe(waits)
  expect(await stored(user.id)).toEqual({ documents: 1, chunks: 1, files: 1, file_parts: 1, previews: 0, vectors: 1 })
  const [receipt, ...others] = await receiptsOf(user, gone)
  expect(others).toEqual([])
  expect(receipt).toMatchObject({ kind: 'document', target_id: gone, reason: 'expired', verified_at: expect.any(String) })
  expect(Object.fromEntries(receipt?.removed.map(({ where, count }) => [where, count]) ?? [])).toEqual({
    documents: 1,
    chunks: 2,
    files: 1,
    file_parts: 1,
    previews: 0,
    vectors: 2,
    search_index: 2,
  })
  await sweep()
  expect(await receiptsOf(user)).toHaveLength(1)
})

test('vectors that another document needs stay, also when that one is deleted and not erased', async () => {
  const user = testUser()
  const [one = '', two = ''] = await add(user, { 'a.md': HANDBOOK, 'b.md': HANDBOOK })
  await fixture.deletion.delete({ document_id: two }, user)
  await fixture.deletion.delete({ document_id: one, purge: true }, user)
  expect(await stored(user.id)).toMatchObject({ documents: 1, vectors: 2 })
  await fixture.deletion.restore({ document_id: two }, user)
  expect((await fixture.find(user, 'paid leave', { mode: 'dense' }))[0]?.uri).toBe('upload://b.md')
})

test('what is left behind of an erasure is found: its receipt is not verified until it is gone', async () => {
  const user = testUser()
  const [document_id = ''] = await add(user, { 'a.md': HANDBOOK })
  const { blob_id } = await fixture.documents.openContent({ document_id }, user)
  const rows = await fixture.database.transact(user.id, 'read', ({ trx }) => trx.selectFrom('blobs').selectAll().execute())
  const plant = () => fixture.database.transact(user.id, 'write', ({ trx }) => trx.insertInto('blobs').values(rows).execute())
  await fixture.deletion.delete({ document_id }, user)
  await later(user)
  await sweep(async () => false)
  await plant()
  await sweep()
  expect(await receiptsOf(user)).toMatchObject([{ verified_at: null }])
  await fixture.uow.in([user.id]).write(({ blobs }) => blobs.delete([blob_id]))
  await sweep()
  expect(await receiptsOf(user)).toMatchObject([{ verified_at: expect.any(String) }])
})

test('in a group who brought a document and its admins delete and restore it, and see it among the deleted; nobody else', async () => {
  const [admin, owner, member, stranger] = [testUser(), testUser(), testUser(), testUser()]
  const group_id = newId()
  fixture.groups.set(group_id, new Set([admin.id, owner.id, member.id]))
  fixture.admins.add(`${group_id}/${admin.id}`)
  const [document_id = ''] = await add(owner, { 'shared.md': HANDBOOK }, { group_id })
  await expect(fixture.deletion.delete({ document_id }, member)).rejects.toMatchObject({ code: 'NOT_GROUP_ADMIN' })
  await fixture.deletion.delete({ document_id }, admin)
  for (const user of [admin, owner, member]) expect(await titles(user)).toEqual([])
  const listed = async (user: TestUser, more = {}) =>
    (await fixture.documents.list({ ...page, ...more, include_deleted: true }, user)).documents.map(({ id }) => id)
  for (const user of [admin, owner])
    for (const more of [{}, { group_id }]) expect(await listed(user, more)).toEqual([document_id])
  for (const user of [member, stranger]) expect(await listed(user)).toEqual([])
  expect((await fixture.documents.list({ ...page, include_deleted: true }, member)).total).toBe(0)
  await expect(fixture.deletion.restore({ document_id }, member)).rejects.toMatchObject({ code: 'NOT_GROUP_ADMIN' })
  await expect(fixture.deletion.restore({ document_id }, stranger)).rejects.toMatchObject({ code: 'DOCUMENT_NOT_FOUND' })
  await fixture.deletion.restore({ document_id }, owner)
  expect(await titles(member)).toContain('upload://shared.md')

  await fixture.deletion.delete({ document_id, purge: true }, admin)
  for (const user of [admin, owner]) expect(await receiptsOf(user)).toMatchObject([{ target_id: document_id, reason: 'purge' }])
  for (const user of [member, stranger]) expect(await receiptsOf(user)).toEqual([])
})
