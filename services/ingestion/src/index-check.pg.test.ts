import { newId } from '@youworker/runtime/id'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Fixture, startFixture, type TestUser, testUser } from './test-fixture.ts'

const HANDBOOK = '# Handbook\n\n## Leave\n\nEvery employee has 27 days of paid leave.\n\n## Offices\n\nOslo has a sauna.\n'

let fixture: Fixture
beforeAll(async () => {
  fixture = await startFixture()
}, 120_000)
afterAll(() => fixture?.[Symbol.asyncDispose]())

const root = (): TestUser => {
  const user = testUser()
  return { ...user, caller: { ...user.caller, is_root: true } }
}

async function differences(repair = false) {
  const found: string[] = []
  for (let after: string | undefined, hasMore = true; hasMore;) {
    const part = await fixture.checker.check({ repair, after }, root())
    for (const { space_id, kind, count, repaired } of part.differences)
      found.push(`${space_id} ${kind} ${count}${repaired ? ' repaired' : ''}`)
    after = part.next_after
    hasMore = after !== undefined
  }
  return found.toSorted()
}

test('finds and repairs what was planted, in the space where it is; a second look finds nothing, and search is whole', async () => {
  const [sound, wrong] = [testUser(), testUser()]
  await fixture.ingest(sound, { 'a.md': HANDBOOK })
  await fixture.ingest(wrong, { 'a.md': HANDBOOK, 'b.md': '# Diary\n\nThe heron waits.', 'c.md': '# Gone\n\nForgotten.' })
  const { documents } = await fixture.documents.list({ limit: 10, offset: 0 }, wrong)
  const idOf = (path: string) => documents.find((one) => one.path === path)?.id ?? ''
  await fixture.deletion.delete({ document_id: idOf('c.md') }, wrong)
  expect(await differences()).toEqual([])

  await fixture.database.transact(wrong.id, 'write', async ({ trx }) => {
    const [chunk] = await trx.selectFrom('chunks').selectAll().where('document_id', '=', idOf('a.md')).orderBy('index').execute()
    if (!chunk) throw new Error('no chunk')
    // A passage without its vector.
    await trx.deleteFrom('embeddings').where('text_hash', '=', chunk.text_hash).execute()
    // A vector without a passage.
    const vector = Buffer.alloc(1_536)
    await trx.insertInto('embeddings').values({ space_id: wrong.id, model: 'x', text_hash: 'nothing', vector }).execute()
    // A passage of a version that is no more.
    await trx
      .insertInto('chunks')
      .values({ ...chunk, id: newId(), generation: 7 })
      .execute()
    // A file without a document.
    const file = { id: newId(), space_id: wrong.id, user_id: wrong.id, name: 'left.md', declared_size: 1 }
    const used_at = '2020-01-01T00:00:00Z'
    await trx
      .insertInto('blobs')
      .values({ ...file, size: 1, pieces: 1, sha256: 'x', finished_at: used_at, used_at })
      .execute()
  })
  const state = await fixture.index.state(wrong.id)
  if (!state) throw new Error('no index')
  const vector = new Uint8Array(1_536)
  const entry = { chunk_id: newId(), document_id: newId(), generation: 1, seq: 1, heading: 'h', body: 'planted', vector }
  await fixture.index.add(wrong.id, state, [entry])
  await fixture.index.advance(wrong.id, state, state.seq, [{ document_id: idOf('b.md'), generation: null, seq: state.seq + 1 }])
  const [indexed] = await fixture.index.contents(wrong.id, { document_id: idOf('a.md'), limit: 1 })
  await fixture.index.advance(wrong.id, state, state.seq, [{ document_id: idOf('a.md'), generation: null, seq: state.seq + 1 }])
  await fixture.index.add(wrong.id, state, [{ ...entry, chunk_id: indexed?.chunk_id ?? '', generation: 3 }])

  const planted = [
    'missing_entries 2',
    'missing_vectors 1',
    'orphan_entries 1',
    'orphan_files 1',
    'orphan_vectors 1',
    'stale_chunks 1',
    'wrong_generations 1',
  ].map((what) => `${wrong.id} ${what}`)
  expect(await differences()).toEqual(planted)
  expect(await differences()).toEqual(planted)
  expect(await differences(true)).toEqual(planted.map((what) => `${what} repaired`))
  expect(await differences()).toEqual([])
  for (const [query, uri] of [
    ['paid leave', 'upload://a.md'],
    ['heron', 'upload://b.md'],
  ] as const)
    for (const mode of ['dense', 'lexical'] as const) expect((await fixture.find(wrong, query, { mode }))[0]?.uri).toBe(uri)
  expect(await fixture.find(wrong, 'planted', { mode: 'lexical' })).toEqual([])
  await fixture.deletion.restore({ document_id: idOf('c.md') }, wrong)
  expect((await fixture.find(wrong, 'forgotten', { mode: 'dense' }))[0]?.uri).toBe('upload://c.md')
  expect(await differences()).toEqual([])
})

test('a file that lacks a part and a document that lacks a passage are told, and stay until the file comes again', async () => {
  const user = testUser()
  await fixture.ingest(user, { 'a.md': HANDBOOK, 'b.md': '# Diary\n\nThe heron waits.' })
  await fixture.database.transact(user.id, 'write', async ({ trx }) => {
    await trx.deleteFrom('blob_pieces').execute()
    await trx.updateTable('documents').set({ chunk_count: 9 }).where('path', '=', 'b.md').execute()
  })
  const lasting = [`${user.id} damaged_files 2`, `${user.id} incomplete_documents 1`]
  expect(await differences()).toEqual(lasting)
  expect(await differences(true)).toEqual(lasting)
})

test('only root checks', async () => {
  await expect(fixture.checker.check({ repair: true }, testUser())).rejects.toMatchObject({ code: 'NOT_AUTHORIZED' })
})
