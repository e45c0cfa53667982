import { rm, stat, writeFile } from 'node:fs/promises'
import { SearchQuery } from '@youworker/contracts/documents/search'
import { AppError } from '@youworker/contracts/errors'
import { newId } from '@youworker/runtime/id'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createOllamaEmbedder } from './clients/ollama.ts'
import { type Fixture, startFixture, testUser } from './test-fixture.ts'

/** Not with a Qdrant of the environment. */
const isElsewhere = process.env['LLM__QDRANT_URL'] !== undefined

const HANDBOOK = `# Handbook

Welcome to the company.

## Leave

Every employee has 27 days of paid leave a year. Leave is asked for two weeks ahead.

## Offices

The office in Turin has a garden. The office in Oslo has a sauna.
`

let fixture: Fixture
beforeAll(async () => {
  fixture = await startFixture()
}, 120_000)
afterAll(() => fixture?.[Symbol.asyncDispose]())

describe('a document', () => {
  test('is found once its run has ended', async () => {
    const user = testUser()
    const run = await fixture.ingest(user, { 'notes/handbook.md': HANDBOOK }, { tags: ['hr'] })
    expect(run).toMatchObject({ status: 'success', percent: 100, files_processed: 1, errors: [] })
    expect(run.files[0]).toMatchObject({ path: 'notes/handbook.md', mime: 'text/markdown', status: 'success', stage: 'done' })
    for (const mode of ['hybrid', 'dense', 'lexical'] as const) {
      const [hit] = await fixture.find(user, 'How many days of leave do I have?', { mode })
      expect(hit).toMatchObject({ title: 'Handbook', uri: 'upload://notes/handbook.md', title_path: ['Handbook', 'Leave'] })
      expect(hit?.text).toContain('27 days')
    }
    const { documents, total } = await fixture.documents.list({ limit: 10, offset: 0 }, user)
    expect(total).toBe(1)
    expect(documents[0]).toMatchObject({ path: 'notes/handbook.md', tags: ['hr'], chunk_count: run.chunks_written })
  })

  test('comes back byte by byte', async () => {
    const user = testUser()
    const bytes = `# Öl\n\n${'Größe 日本語 🙂 '.repeat(30_000)}`
    const run = await fixture.ingest(user, { 'groß 🙂.md': bytes })
    expect(run.status).toBe('success')
    const content = await fixture.documents.openContent({ document_id: run.files[0]?.document_id ?? '' }, user)
    const pieces = []
    for (let index = 0; index < content.pieces; index += 1)
      pieces.push((await fixture.uploads.read({ blob_id: content.blob_id, index }, user)).bytes)
    expect(Buffer.concat(pieces).toString()).toBe(bytes)
    expect(content).toMatchObject({ name: 'groß 🙂.md', size: Buffer.byteLength(bytes) })
  })

  test('is replaced as a whole when its path comes again', async () => {
    const user = testUser()
    const before = await fixture.ingest(user, { 'a.md': '# Plan\n\nThe launch is in October.' })
    const after = await fixture.ingest(user, { 'a.md': '# Plan\n\nThe launch is in December.' })
    expect(after.files[0]?.document_id).toBe(before.files[0]?.document_id)
    const hits = await fixture.find(user, 'launch')
    expect(hits.map(({ text }) => text)).toEqual(['The launch is in December.'])
    const filters = [{}, { q: 'PL' }, { mime: 'text/markdown' }, { q: '%' }, { q: 'a\0' }, { tag: '\0' }, { collection: 'none' }]
    const pages = filters.map((filter) => fixture.documents.list({ limit: 10, offset: 0, ...filter }, user))
    expect((await Promise.all(pages)).map(({ total }) => total)).toEqual([1, 1, 1, 0, 0, 0, 0])
    const { blobs, pieces } = await storedFiles(user.id)
    expect({ blobs, pieces }).toEqual({ blobs: 1, pieces: 1 })
  })

  test('that did not change takes new tags and is not read or embedded again', async () => {
    const user = testUser()
    await fixture.ingest(user, { 'same.md': HANDBOOK }, { tags: ['one'] })
    const embedded = fixture.embedded.length
    const again = await fixture.ingest(user, { 'same.md': HANDBOOK }, { tags: ['two'] })
    expect(again).toMatchObject({ status: 'success', files_processed: 1 })
    expect(fixture.embedded.length).toBe(embedded)
    expect(await fixture.find(user, 'leave', { tags: ['one'] })).toEqual([])
    expect(await fixture.find(user, 'leave', { tags: ['two'], mode: 'lexical' })).not.toEqual([])
    expect((await storedFiles(user.id)).blobs).toBe(1)
  })

  test('of another pipeline version is read again at its next upload', async () => {
    const user = testUser()
    await fixture.ingest(user, { 'old.md': HANDBOOK })
    await fixture.database.transact(user.id, 'write', ({ trx }) =>
      trx.updateTable('documents').set({ pipeline: '1:120:20' }).execute(),
    )
    await fixture.ingest(user, { 'old.md': HANDBOOK })
    await fixture.ingest(user, { 'old.md': HANDBOOK })
    const { rows } = await fixture.uow.in([user.id]).read(({ documents }) => documents.list([user.id], { limit: 10, offset: 0 }))
    expect(rows.map(({ generation }) => generation)).toEqual([2])
  })

  test('is gone everywhere once deleted', async () => {
    const user = testUser()
    const run = await fixture.ingest(user, { 'gone.md': HANDBOOK })
    const document_id = run.files[0]?.document_id ?? ''
    await fixture.deletion.delete({ purge: true, document_id }, user)
    expect(await fixture.find(user, 'leave')).toEqual([])
    await expect(fixture.documents.get({ document_id }, user)).rejects.toMatchObject({ code: 'DOCUMENT_NOT_FOUND' })
    expect(await storedFiles(user.id)).toEqual({ blobs: 0, pieces: 0, chunks: 0, embeddings: 0 })
  })

  test('of somebody else cannot be found, read or deleted', async () => {
    const [owner, other] = [testUser(), testUser()]
    const run = await fixture.ingest(owner, { 'secret.md': HANDBOOK })
    const document_id = run.files[0]?.document_id ?? ''
    const { blob_id } = await fixture.documents.openContent({ document_id }, owner)
    expect(await fixture.find(other, 'leave')).toEqual([])
    for (const call of ['get', 'openContent'] as const) {
      await expect(fixture.documents[call]({ document_id }, other)).rejects.toMatchObject({ code: 'DOCUMENT_NOT_FOUND' })
    }
    for (const call of ['delete', 'restore'] as const) {
      await expect(fixture.deletion[call]({ document_id }, other)).rejects.toMatchObject({ code: 'DOCUMENT_NOT_FOUND' })
    }
    await expect(fixture.uploads.read({ blob_id, index: 0 }, other)).rejects.toMatchObject({ code: 'BLOB_NOT_FOUND' })
    for (const call of ['get', 'cancel', 'retry', 'delete'] as const) {
      await expect(fixture.runs[call]({ run_id: run.id }, other)).rejects.toMatchObject({ code: 'RUN_NOT_FOUND' })
    }
    await expect(fixture.runs.getTask({ task_id: run.id }, other)).rejects.toMatchObject({ code: 'TASK_NOT_FOUND' })
    expect((await fixture.find(owner, 'leave'))[0]?.document_id).toBe(document_id)
  })
})

describe('the search index', () => {
  test.skipIf(isElsewhere)('is made again from Postgres when its folder is gone, and without embedding anything', async () => {
    const user = testUser()
    await fixture.ingest(user, { 'kept.md': HANDBOOK })
    const before = await fixture.find(user, 'garden in Turin')
    const embedded = fixture.embedded.length
    await rm(fixture.indexDir, { recursive: true })
    expect(await fixture.find(user, 'garden in Turin')).toEqual(before)
    expect((await stat(`${fixture.indexDir}/${user.id}.sqlite`)).isFile()).toBe(true)
    expect(fixture.embedded.slice(embedded)).toEqual(['garden in Turin'])
  })

  test.skipIf(isElsewhere)('is made again when its file is damaged', async () => {
    const user = testUser()
    await fixture.ingest(user, { 'kept.md': HANDBOOK })
    const before = await fixture.find(user, 'sauna')
    // Another process opens the damaged file afresh.
    const other = fixture.newProcess(false)
    for (const suffix of ['-wal', '-shm']) await rm(`${fixture.indexDir}/${user.id}.sqlite${suffix}`, { force: true })
    await writeFile(`${fixture.indexDir}/${user.id}.sqlite`, Buffer.alloc(20_000, 7))
    const { results } = await other.searches.search(SearchQuery.parse({ query: 'sauna' }), user)
    expect(results).toEqual(before)
  })

  test('finds text without spaces, and takes any query', async () => {
    const user = testUser()
    await fixture.ingest(user, { 'cjk.md': '# 案内\n\n東京大学の図書館は九時に開きます。\n\n## 天気\n\n北海道は雪です。' })
    const [hit] = await fixture.find(user, '図書館', { mode: 'lexical' })
    expect(hit?.text).toContain('図書館')
    for (const query of [
      '"',
      'a OR',
      'NEAR(',
      '*',
      '^x',
      'col:y',
      '-',
      "'; drop table chunks",
      '\u0301',
      '🙂',
      '(((',
      '{heading}:"',
      'の',
    ]) {
      await expect(fixture.find(user, query)).resolves.toBeInstanceOf(Array)
    }
  })

  test('answers by words while the model is away', async () => {
    const user = testUser()
    await fixture.ingest(user, { 'a.md': HANDBOOK })
    const broken = fixture.newProcess(false, () =>
      createOllamaEmbedder({ url: 'http://127.0.0.1:9', model: 'youworker-offline' }),
    )
    const query = SearchQuery.parse({ query: 'sauna', top_k: 5 })
    expect((await broken.searches.search({ ...query, mode: 'hybrid' }, user)).results[0]?.text).toContain('sauna')
    await expect(broken.searches.search({ ...query, mode: 'dense' }, user)).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' })
  })
})

describe('a group', () => {
  test('shares documents with its members until it is deleted', async () => {
    const [alice, bob, eve] = [testUser(), testUser(), testUser()]
    const group_id = newId()
    fixture.groups.set(group_id, new Set([alice.id, bob.id]))
    await fixture.ingest(alice, { 'shared.md': HANDBOOK }, { group_id })
    await fixture.ingest(alice, { 'own.md': '# Diary\n\nThe sauna was hot.' }, { group_id, is_private: true })
    expect((await fixture.find(bob, 'sauna')).map(({ uri }) => uri)).toEqual(expect.arrayContaining(['upload://shared.md']))
    expect((await fixture.find(bob, 'diary sauna')).map(({ uri }) => uri)).not.toContain('upload://own.md')
    expect(await fixture.find(eve, 'sauna')).toEqual([])
    await expect(fixture.find(eve, 'sauna', { group_id })).rejects.toMatchObject({ code: 'GROUP_NOT_FOUND' })

    const event = newId()
    await fixture.erasure.groupDeleted({ group_id, user_id: alice.id }, event)
    await fixture.erasure.groupDeleted({ group_id, user_id: alice.id }, event)
    expect(await fixture.find(bob, 'sauna')).toEqual([])
    expect(await storedFiles(group_id)).toEqual({ blobs: 0, pieces: 0, chunks: 0, embeddings: 0 })
    expect((await fixture.find(alice, 'sauna')).map(({ uri }) => uri)).toEqual(['upload://own.md'])
    const late = await fixture.upload(alice, HANDBOOK)
    const start = { files: [{ blob_id: late, name: 'late.md' }], tags: [], is_private: false, group_id }
    await expect(fixture.starter.start(start, alice)).rejects.toMatchObject({ code: 'GROUP_NOT_FOUND' })
  })

  test('of other users is not found; while groups are away the own space works', async () => {
    const user = testUser()
    const group_id = newId()
    fixture.groups.set(group_id, new Set([newId()]))
    const blob_id = await fixture.upload(user, HANDBOOK)
    const start = { files: [{ blob_id, name: 'a.md' }], tags: [], is_private: false, group_id }
    await expect(fixture.starter.start(start, user)).rejects.toMatchObject({ code: 'GROUP_NOT_FOUND' })

    const fresh = testUser()
    await fixture.ingest(fresh, { 'mine.md': HANDBOOK })
    fixture.access.dropAll()
    fixture.setGroupsAway(new AppError('SERVICE_UNAVAILABLE', 'away'))
    try {
      expect(await fixture.find(fresh, 'sauna')).not.toEqual([])
      await expect(fixture.find(fresh, 'sauna', { group_id })).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' })
    } finally {
      fixture.setGroupsAway(undefined)
    }
  })
})

async function storedFiles(spaceId: string) {
  const count = (table: 'blobs' | 'blob_pieces' | 'chunks' | 'embeddings') =>
    fixture.database.transact(spaceId, 'read', async ({ trx }) => {
      const row = await trx
        .selectFrom(table)
        .select((eb) => eb.fn.countAll<number>().as('n'))
        .executeTakeFirstOrThrow()
      return Number(row.n)
    })
  const [blobs, pieces, chunks, embeddings] = [
    await count('blobs'),
    await count('blob_pieces'),
    await count('chunks'),
    await count('embeddings'),
  ]
  return { blobs, pieces, chunks, embeddings }
}
