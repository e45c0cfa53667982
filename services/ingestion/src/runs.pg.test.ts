import { createHash, randomBytes } from 'node:crypto'
import { LIMITS } from '@youworker/contracts/limits'
import { claim } from '@youworker/database/jobs/leases'
import { newId } from '@youworker/runtime/id'
import { waitFor } from '@youworker/test-kit/wait-for'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Embedder } from './services/search/embedding-service.ts'
import { type Fixture, startFixture, testUser, type TestUser, uploadTo } from './test-fixture.ts'

let fixture: Fixture
beforeAll(async () => {
  fixture = await startFixture({ worker: false })
}, 120_000)
afterAll(() => fixture?.[Symbol.asyncDispose]())

const NO_LABELS = { tags: [], is_private: false }

async function start(user: TestUser, files: Record<string, string | Uint8Array>): Promise<string> {
  const named = []
  for (const [name, bytes] of Object.entries(files)) named.push({ name, blob_id: await fixture.upload(user, bytes) })
  return (await fixture.starter.start({ files: named, ...NO_LABELS }, user)).run_id
}

/** An embedder that holds every text with the given words until it is released or aborted. */
function holding(words: string) {
  const reached = Promise.withResolvers<void>()
  const release = Promise.withResolvers<void>()
  const wrap = (embedder: Embedder): Embedder => ({
    model: embedder.model,
    async embed(texts, options) {
      if (texts.some((text) => text.includes(words))) {
        reached.resolve()
        await Promise.race([release.promise, new Promise((_, reject) => options.signal?.addEventListener('abort', reject))])
      }
      return embedder.embed(texts, options)
    },
  })
  return { wrap, reached: reached.promise, release: release.resolve }
}

describe('uploads', () => {
  const part = (byte: number, length: number = LIMITS.part) => Buffer.alloc(length, byte)

  test('take their parts through any replica, in any order and repeatedly', async () => {
    const user = testUser()
    const [one, two] = [fixture.newProcess(false), fixture.newProcess(false)]
    const { blob_id } = await one.uploads.create({ name: 'a.txt' }, user)
    await two.uploads.write({ blob_id, index: 1, bytes: part(98, 10) }, user)
    await one.uploads.write({ blob_id, index: 0, bytes: part(97) }, user)
    await two.uploads.write({ blob_id, index: 0, bytes: part(97) }, user)
    const sha256 = createHash('sha256').update(part(97)).update(part(98, 10)).digest('hex')
    for (const { uploads } of [two, one]) {
      expect(await uploads.finish({ blob_id, pieces: 2, sha256 }, user)).toEqual({ size: LIMITS.part + 10 })
    }
    expect((await two.uploads.read({ blob_id, index: 1 }, user)).bytes.toString()).toBe('b'.repeat(10))
  })

  test('with a missing part, a wrong hash or too many bytes are refused', async () => {
    const user = testUser()
    const { blob_id } = await fixture.uploads.create({ name: 'a.txt' }, user)
    await fixture.uploads.write({ blob_id, index: 1, bytes: part(97, 3) }, user)
    const wrong = 'ab'.repeat(32)
    await expect(fixture.uploads.finish({ blob_id, pieces: 2, sha256: wrong }, user)).rejects.toMatchObject({
      code: 'VALIDATION_ERROR',
    })
    await fixture.uploads.write({ blob_id, index: 0, bytes: part(97) }, user)
    await expect(fixture.uploads.finish({ blob_id, pieces: 2, sha256: wrong }, user)).rejects.toMatchObject({
      code: 'VALIDATION_ERROR',
    })
    const tooLarge = { code: 'PAYLOAD_TOO_LARGE' }
    await expect(fixture.uploads.write({ blob_id, index: 8, bytes: part(97) }, user)).rejects.toMatchObject(tooLarge)
    await expect(fixture.uploads.create({ name: 'b', size: 2 * 1024 ** 2 + 1 }, user)).rejects.toMatchObject(tooLarge)
    await expect(fixture.uploads.write({ blob_id, index: 2, bytes: part(1) }, testUser())).rejects.toMatchObject({
      code: 'BLOB_NOT_FOUND',
    })
  })

  test('are sealed at rest', async () => {
    const user = testUser()
    const secret = `canary-${newId()}`
    await fixture.upload(user, secret)
    const rows = await fixture.database.transact(user.id, 'read', ({ trx }) =>
      trx.selectFrom('blob_pieces').select('sealed').execute(),
    )
    expect(rows).toHaveLength(1)
    expect(rows[0]?.sealed.includes(secret)).toBe(false)
  })

  test('are swept when nothing needs them', async () => {
    const user = testUser()
    const unfinished = await fixture.uploads.create({ name: 'unfinished' }, user)
    const unused = await fixture.upload(user, 'unused')
    const run_id = await start(user, { 'waits.txt': 'a run still needs this' })
    await age(user, '2 hours')
    await fixture.database.transact(user.id, 'write', ({ trx }) =>
      sql`update blobs set used_at = now() - interval '8 days' where used_at is not null`.execute(trx),
    )
    const other = testUser()
    const fresh = await fixture.upload(other, 'fresh')
    await fixture.erasure.sweep()
    const [file] = await fixture.uow.in([user.id]).read(({ runs }) => runs.files(run_id))
    expect(await left(user, [unfinished.blob_id, unused, file?.blob_id ?? ''])).toEqual([file?.blob_id])
    expect(await left(other, [fresh])).toEqual([fresh])
    await fixture.runs.cancel({ run_id }, user)
  })

  test('are kept while their user still sends, as a request of many files or a slow one does, for a day', async () => {
    const user = testUser()
    const first = await fixture.upload(user, 'the first file of a long request')
    const { blob_id: slow } = await fixture.uploads.create({ name: 'slow' }, user)
    await age(user, '2 hours')
    await fixture.uploads.write({ blob_id: slow, index: 0, bytes: Buffer.from('one more part') }, user)
    await fixture.erasure.sweep()
    expect(await left(user, [first, slow])).toEqual([first, slow].sort())
    await age(user, '23 hours')
    await fixture.upload(user, 'and on it goes')
    await fixture.erasure.sweep()
    expect(await left(user, [first, slow])).toEqual([])
  })

  async function left(user: TestUser, ids: string[]): Promise<string[]> {
    const rows = await fixture.database.transact(user.id, 'read', ({ trx }) =>
      trx.selectFrom('blobs').select('id').where('id', 'in', ids).execute(),
    )
    return rows.map(({ id }) => id).sort()
  }

  async function age(user: TestUser, by: string): Promise<void> {
    await fixture.database.transact(user.id, 'write', async ({ trx }) => {
      await sql`update blobs set created_at = created_at - ${by}::interval, finished_at = finished_at - ${by}::interval where user_id = ${user.id}`.execute(
        trx,
      )
      await sql`update blob_pieces set stored_at = stored_at - ${by}::interval where space_id = ${user.id}`.execute(trx)
    })
  }
})

describe('starting a run', () => {
  test('with no readable file is refused and stores nothing', async () => {
    const user = testUser()
    const bad = {
      'empty.md': '',
      'lie.pdf': 'no pdf',
      'a.exe': Buffer.from([0x4d, 0x5a, 0x90, 0, 3, 0]),
      'bin.txt': Buffer.from([0xff, 0, 0xfe, 1]),
      '../up.md': '# up',
    }
    for (const [name, bytes] of Object.entries(bad)) {
      await expect(start(user, { [name]: bytes })).rejects.toMatchObject({
        code: expect.stringMatching(/^(UNSUPPORTED_MEDIA_TYPE|VALIDATION_ERROR)$/),
        details: [{ field: name, message: expect.any(String) }],
      })
    }
    expect(await fixture.runs.list({ limit: 10, offset: 0 }, user)).toEqual({ runs: [], total: 0 })
    const blobs = await fixture.database.transact(user.id, 'read', ({ trx }) => trx.selectFrom('blobs').select('id').execute())
    expect(blobs).toEqual([])
  })

  test('twice with one idempotency key starts one run', async () => {
    const user = testUser(newId(), 'key-1')
    const blob_id = await fixture.upload(user, '# A\n\ntext')
    const input = { files: [{ blob_id, name: 'a.md' }], ...NO_LABELS }
    const first = await fixture.starter.start(input, user)
    expect(await fixture.starter.start(input, user)).toEqual(first)
    await expect(fixture.starter.start({ ...input, tags: ['x'] }, user)).rejects.toMatchObject({ code: 'IDEMPOTENCY_MISMATCH' })
    await expect(fixture.starter.start(input, testUser(user.id))).rejects.toMatchObject({ code: 'BLOB_NOT_FOUND' })
    expect((await fixture.runs.list({ limit: 10, offset: 0 }, user)).total).toBe(1)
    const cancelled = await fixture.runs.cancel({ run_id: first.run_id }, user)
    expect(cancelled).toMatchObject({ status: 'cancelled', files: [{ status: 'cancelled' }] })
  })

  test('with the uploads of somebody else finds none', async () => {
    const blob_id = await uploadTo(fixture, testUser(), 'mine')
    const input = { files: [{ blob_id, name: 'a.md' }], ...NO_LABELS }
    await expect(fixture.starter.start(input, testUser())).rejects.toMatchObject({ code: 'BLOB_NOT_FOUND' })
  })
})

describe('a run', () => {
  test('is continued by another worker when its lease expires, and the first worker writes nothing more', async () => {
    const user = testUser()
    const run_id = await start(user, { 'one.md': '# One\n\nfirst text', 'two.md': '# Two\n\nthe slow text' })
    const hold = holding('the slow text')
    const dying = fixture.newProcess(false, hold.wrap)
    const [job] = await claim(dying.database.system, 'run', newId(), { limit: 1 })
    if (!job) throw new Error('there is no job')
    const abandoned = dying.processor.process(job, { attempt: job.attempt, signal: new AbortController().signal })
    await hold.reached
    const embedded = fixture.embedded.length
    await sql`update jobs set lease_until = now() - interval '1 second'`.execute(fixture.database.system)

    fixture.newProcess(true)
    const run = await fixture.settled(user, run_id)
    expect(run).toMatchObject({ status: 'success', attempt: 2, files_processed: 2 })
    // They were asked for together and had no answer.
    expect(fixture.embedded.slice(embedded)).toEqual(['One\n\nfirst text', 'Two\n\nthe slow text'])
    hold.release()
    await expect(abandoned).rejects.toMatchObject({ name: 'LeaseLost' })
    const documents = await fixture.uow.in([user.id]).read(({ documents }) => documents.list([user.id], { limit: 10, offset: 0 }))
    expect(documents.rows.map(({ path, generation }) => [path, generation]).sort()).toEqual([
      ['one.md', 1],
      ['two.md', 1],
    ])
    const events = await fixture.database.system
      .selectFrom('outbox')
      .select('subject')
      .where(sql<boolean>`data->>'user_id' = ${user.id}`)
      .execute()
    expect(events.map(({ subject }) => subject.split('.').slice(3).join('.')).sort()).toEqual([
      'document.ingested',
      'document.ingested',
      'run.finished',
    ])
  })

  test('reports a bad file and goes on with the others; the bad one can be tried again', async () => {
    const user = testUser()
    const pdf = Buffer.concat([Buffer.from('%PDF-1.4\n'), randomBytes(2_000)])
    fixture.newProcess(true)
    const run = await fixture.settled(user, await start(user, { 'good.md': '# Good\n\ntext', 'bad.pdf': pdf, 'empty.md': '' }))
    expect(run).toMatchObject({ status: 'partial', files_processed: 1, totals: { files: 3 } })
    expect(run.files.map(({ status, stage }) => [status, stage])).toEqual([
      ['success', 'done'],
      ['failed', 'done'],
      ['failed', 'done'],
    ])
    expect(run.errors).toHaveLength(2)
    await fixture.runs.retry({ run_id: run.id }, user)
    const again = await fixture.settled(user, run.id)
    expect(again).toMatchObject({ status: 'partial', attempt: 2 })
    expect(await fixture.runs.getTask({ task_id: run.id }, user)).toMatchObject({
      type: 'ingestion',
      state: 'partial',
      attempts: 2,
      progress: { current: 3, total: 3 },
    })
    await fixture.runs.delete({ run_id: run.id }, user)
    await expect(fixture.runs.get({ run_id: run.id }, user)).rejects.toMatchObject({ code: 'RUN_NOT_FOUND' })
    expect((await fixture.documents.list({ limit: 10, offset: 0 }, user)).total).toBe(1)
  })
})

/** A run into a group, held while its text is embedded; its user has left the group meanwhile. */
async function runOfLeaver(own: Fixture) {
  const user = testUser()
  const group_id = newId()
  own.groups.set(group_id, new Set([user.id]))
  const hold = holding('group text')
  own.newProcess(true, hold.wrap)
  const blob_id = await own.upload(user, '# A\n\ngroup text', { space_id: group_id })
  const { run_id } = await own.starter.start({ files: [{ blob_id, name: 'a.md' }], ...NO_LABELS, group_id }, user)
  await hold.reached
  own.groups.clear()
  return { user, group_id, run_id, hold }
}

describe('cancelling', () => {
  test('stops a run at work, keeps what is done, and frees the space for the next one', async () => {
    await using own = await startFixture({ worker: false })
    const user = testUser()
    const hold = holding('never ending')
    own.newProcess(true, hold.wrap)
    // One more than are read together.
    const texts = Array.from({ length: 33 }, (_, n) => (n < 32 ? `finished text ${n}` : 'never ending text'))
    const named = []
    for (const [n, text] of texts.entries())
      named.push({ name: `${n}.md`, blob_id: await own.upload(user, `# File ${n}\n\n${text}`) })
    const { run_id } = await own.starter.start({ files: named, ...NO_LABELS }, user)
    await hold.reached
    await waitFor(async () => (await own.runs.get({ run_id }, user)).files_processed === 32, { what: 'the other files' })
    await expect(own.runs.delete({ run_id }, user)).rejects.toMatchObject({ code: 'CONFLICT' })
    expect((await own.runs.cancel({ run_id }, user)).status).toBe('running')
    const run = await own.settled(user, run_id)
    expect(run.status).toBe('cancelled')
    expect(run.files.map(({ status }) => status)).toEqual(texts.map((_, n) => (n < 32 ? 'success' : 'cancelled')))
    const found = await own.find(user, 'finished', { mode: 'lexical', top_k: 40 })
    expect(found).toHaveLength(32)
    expect((await own.ingest(user, { 'three.md': '# Three\n\nnext text' })).status).toBe('success')
  }, 60_000)

  test('happens to the runs of a member who leaves', async () => {
    await using own = await startFixture({ worker: false })
    const { user, group_id, run_id } = await runOfLeaver(own)
    await own.erasure.memberRemoved({ group_id, user_id: user.id }, newId())
    expect((await own.settled(user, run_id)).status).toBe('cancelled')
    await waitFor(async () => (await own.find(user, 'group')).length === 0, { what: 'no hit' })
  }, 60_000)

  test('is not needed to keep out a member who left while the file was read', async () => {
    await using own = await startFixture({ worker: false })
    const { user, run_id, hold } = await runOfLeaver(own)
    hold.release()
    const run = await own.settled(user, run_id)
    expect(run).toMatchObject({ status: 'failed', files: [{ status: 'failed', error: expect.stringContaining('not a member') }] })
  }, 60_000)
})
