import { silentLogger } from '@youworker/runtime/logger'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { deleteExpiredFiles } from './jobs/expired-files.ts'
import { type Fixture, startFixture, type TestUser, testUser } from './test-fixture.ts'

let fixture: Fixture
beforeAll(async () => {
  fixture = await startFixture()
}, 120_000)
afterAll(() => fixture?.[Symbol.asyncDispose]())

const HOUR = 3_600
const store = async (user: TestUser, name: string, expires_after?: number) =>
  fixture.files.store({ blob_id: await fixture.upload(user, name, { name }), purpose: 'user_data', expires_after }, user)
const expire = (user: TestUser, id: string) =>
  fixture.database.transact(user.id, 'write', ({ trx }) =>
    trx.updateTable('documents').set({ expires_at: '2020-01-01T00:00:00Z' }).where('id', '=', id).execute(),
  )
const sweep = () => deleteExpiredFiles({ uow: fixture.uow, logger: silentLogger(), keepDays: 30 })
const page = { limit: 10, offset: 0, include_deleted: false }
const names = async (user: TestUser) => (await fixture.documents.list(page, user)).documents.map(({ title }) => title)

test('a file whose time is over is not shown any more, is deleted as its owner would, and stays when it is restored', async () => {
  const user = testUser()
  const [brief, lasting] = [await store(user, 'brief.md', HOUR), await store(user, 'lasting.md')]
  await store(user, 'later.md', HOUR)
  await expire(user, brief.id)
  await expect(fixture.files.get({ file_id: brief.id }, user)).rejects.toMatchObject({ code: 'DOCUMENT_NOT_FOUND' })
  const { files } = await fixture.files.list({ limit: 10, order: 'asc' }, user)
  expect(files.map(({ name }) => name)).toEqual(['lasting.md', 'later.md'])
  await sweep()
  await sweep()
  expect(await names(user)).toEqual(['later.md', 'lasting.md'])
  await fixture.deletion.restore({ document_id: brief.id }, user)
  await sweep()
  expect(await fixture.files.get({ file_id: brief.id }, user)).toMatchObject({ name: 'brief.md', expires_at: null })
  expect(await fixture.files.get({ file_id: lasting.id }, user)).toMatchObject({ name: 'lasting.md' })
})

test('an upload is stored once, by who made it, and its bytes are not swept', async () => {
  const [user, other] = [testUser(), testUser()]
  const blob_id = await fixture.upload(user, 'text', { name: 'a.md' })
  const input = { blob_id, purpose: 'user_data' as const }
  await expect(fixture.files.store(input, other)).rejects.toMatchObject({ code: 'BLOB_NOT_FOUND' })
  const { id } = await fixture.files.store(input, user)
  await expect(fixture.files.store(input, user)).rejects.toMatchObject({ code: 'BLOB_NOT_FOUND' })
  await fixture.database.transact(user.id, 'write', ({ trx }) =>
    trx.updateTable('blobs').set({ used_at: '2020-01-01T00:00:00Z' }).where('id', '=', blob_id).execute(),
  )
  await fixture.erasure.sweep()
  expect(Buffer.from((await fixture.uploads.read({ blob_id, index: 0 }, user)).bytes).toString()).toBe('text')
  expect((await fixture.documents.openContent({ document_id: id }, user)).blob_id).toBe(blob_id)
})
