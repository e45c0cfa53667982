import { AppError } from '@youworker/contracts/errors'
import { ModelError } from '@youworker/runtime/model-error'
import { claim } from '@youworker/database/jobs/leases'
import { newId } from '@youworker/runtime/id'
import { waitFor } from '@youworker/test-kit/wait-for'
import { sql } from 'kysely'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Embedder } from './services/search/embedding-service.ts'
import { type Fixture, startFixture, testUser, type TestUser } from './test-fixture.ts'

let fixture: Fixture
beforeEach(async () => {
  fixture = await startFixture({ worker: false })
}, 120_000)
afterEach(() => fixture?.[Symbol.asyncDispose]())

async function start(user: TestUser, files: Record<string, string>): Promise<string> {
  const named = []
  for (const [name, text] of Object.entries(files)) named.push({ name, blob_id: await fixture.upload(user, text) })
  return (await fixture.starter.start({ files: named, tags: [], is_private: false }, user)).run_id
}

const stepsOf = async (user: TestUser, run_id: string, at = 0) => {
  const { files } = await fixture.runs.timeline({ run_id }, user)
  return files[at]?.entries.map(({ step, attempt, error }) => `${step} ${attempt}${error === undefined ? '' : ' failed'}`)
}

/** Asks the model only when `before` lets it. */
const wrapped =
  (before: (texts: readonly string[], signal: AbortSignal | undefined) => Promise<void>) =>
  (embedder: Embedder): Embedder => ({
    ...embedder,
    async embed(texts, options) {
      await before(texts, options.signal)
      return embedder.embed(texts, options)
    },
  })

function holding() {
  const reached = Promise.withResolvers<void>()
  const release = Promise.withResolvers<void>()
  const wrap = wrapped(async (_, signal) => {
    reached.resolve()
    await Promise.race([release.promise, new Promise((_resolve, reject) => signal?.addEventListener('abort', reject))])
  })
  return { wrap, reached: reached.promise, release: release.resolve }
}

test('a file whose worker is gone goes on behind what was stored of it, and is not read again', async () => {
  const user = testUser()
  const run_id = await start(user, { 'one.md': '# One\n\nthe first text' })
  const hold = holding()
  const dying = fixture.newProcess(false, hold.wrap)
  const [job] = await claim(dying.database.system, 'run', newId(), { limit: 1 })
  if (!job) throw new Error('there is no job')
  const abandoned = dying.processor.process(job, { attempt: job.attempt, signal: new AbortController().signal })
  await hold.reached
  await sql`update jobs set lease_until = now() - interval '1 second'`.execute(fixture.database.system)
  // Nobody works on it, and nobody is shown to.
  expect(await fixture.runs.get({ run_id }, user)).toMatchObject({ status: 'pending', heartbeat_at: null })
  expect((await fixture.runs.getTask({ task_id: run_id }, user)).state).toBe('pending')
  fixture.newProcess(true)
  expect((await fixture.settled(user, run_id)).status).toBe('success')
  hold.release()
  await expect(abandoned).rejects.toMatchObject({ name: 'LeaseLost' })
  expect(await stepsOf(user, run_id)).toEqual(['fetched 0', 'sniffed 0', 'parsed 1', 'chunked 1', 'embedded 2', 'indexed 2'])
  expect(await fixture.find(user, 'first', { mode: 'lexical' })).toHaveLength(1)
})

test('what another version of the pipeline has staged is read again, so that a document is of one version', async () => {
  const user = testUser()
  const run_id = await start(user, { 'one.md': '# One\n\nthe first text' })
  const hold = holding()
  const old = fixture.newProcess(false, hold.wrap, { tokens: 60, overlap: 10 })
  const [job] = await claim(old.database.system, 'run', newId(), { limit: 1 })
  if (!job) throw new Error('there is no job')
  const abandoned = old.processor.process(job, { attempt: job.attempt, signal: new AbortController().signal })
  await hold.reached
  await sql`update jobs set lease_until = now() - interval '1 second'`.execute(fixture.database.system)
  fixture.newProcess(true)
  expect((await fixture.settled(user, run_id)).status).toBe('success')
  hold.release()
  await expect(abandoned).rejects.toMatchObject({ name: 'LeaseLost' })
  expect((await stepsOf(user, run_id))?.filter((step) => step.startsWith('chunked'))).toEqual(['chunked 1', 'chunked 2'])
  expect(await fixture.find(user, 'first', { mode: 'lexical' })).toHaveLength(1)
})

test('a paused run is left alone until it is resumed, others of its user pass it, and it goes on from its stage', async () => {
  const user = testUser()
  const run_id = await start(user, { 'one.md': '# One\n\nthe first text' })
  const hold = holding()
  fixture.newProcess(true, hold.wrap)
  await hold.reached
  expect(await fixture.runs.get({ run_id }, user)).toMatchObject({
    status: 'running',
    paused: false,
    heartbeat_at: expect.any(String),
  })
  expect(await fixture.runs.pause({ run_id }, user)).toMatchObject({ status: 'pending', paused: true, heartbeat_at: null })
  hold.release()
  const other = await start(user, { 'two.md': '# Two\n\nanother text' })
  expect((await fixture.settled(user, other)).status).toBe('success')
  expect(await fixture.runs.pause({ run_id }, user)).toMatchObject({ status: 'pending', paused: true })
  expect(await fixture.find(user, 'first', { mode: 'lexical' })).toEqual([])
  await expect(fixture.runs.resume({ run_id: other }, user)).rejects.toMatchObject({ code: 'CONFLICT' })
  await expect(fixture.runs.pause({ run_id }, testUser())).rejects.toMatchObject({ code: 'RUN_NOT_FOUND' })
  expect(await fixture.runs.resume({ run_id }, user)).toMatchObject({ status: 'pending', paused: false })
  expect(await fixture.settled(user, run_id)).toMatchObject({ status: 'success', paused: false })
  expect((await stepsOf(user, run_id))?.filter((step) => step.startsWith('parsed'))).toEqual(['parsed 1'])
})

test('a paused run can be cancelled', async () => {
  const user = testUser()
  const run_id = await start(user, { 'one.md': '# One\n\nthe first text' })
  await fixture.runs.pause({ run_id }, user)
  expect((await fixture.runs.cancel({ run_id }, user)).status).toBe('cancelled')
})

test('a run waits for a model that is away, says why, and ends well without reading its file again', async () => {
  const user = testUser()
  let isAway = true
  const away = new ModelError('away', 'The embedding model cannot be reached')
  fixture.newProcess(
    true,
    wrapped(async () => {
      if (isAway) throw away
    }),
  )
  const run_id = await start(user, { 'one.md': '# One\n\nthe first text' })
  const saysWhy = async () => (await fixture.runs.get({ run_id }, user)).errors.includes(away.message)
  await waitFor(saysWhy, { what: 'a run that says what it waits for' })
  isAway = false
  expect(await fixture.settled(user, run_id)).toMatchObject({ status: 'success', errors: [] })
  const steps = await stepsOf(user, run_id)
  expect(steps).toContain('embedded 1 failed')
  expect(steps?.filter((step) => step.startsWith('parsed'))).toEqual(['parsed 1'])
}, 60_000)

test('a refused text fails its file alone; a retry goes on from where it stopped, or from an earlier stage', async () => {
  const user = testUser()
  let refused = 'bad'
  fixture.newProcess(
    true,
    wrapped(async (texts) => {
      if (texts.some((text) => text.includes(refused))) throw new AppError('LLM_ERROR', 'The model refused a text')
    }),
  )
  const run_id = await start(user, { 'good.md': '# Good\n\na good text', 'bad.md': '# Bad\n\na bad text' })
  const run = await fixture.settled(user, run_id)
  expect(run).toMatchObject({ status: 'partial', errors: ['bad.md: The model refused a text'] })
  const parsed = async () => (await stepsOf(user, run_id, 1))?.filter((step) => step.startsWith('parsed')).length
  await fixture.runs.retry({ run_id }, user)
  expect((await fixture.settled(user, run_id)).status).toBe('partial')
  expect(await parsed()).toBe(1)
  await fixture.runs.retry({ run_id, stage: 'parsing' }, user)
  expect((await fixture.settled(user, run_id)).status).toBe('partial')
  expect(await parsed()).toBe(2)
  refused = 'nothing'
  await fixture.runs.retry({ run_id, stage: 'indexing' }, user)
  expect((await fixture.settled(user, run_id)).status).toBe('success')
  // It had no vectors yet, so it could not begin there.
  expect(await parsed()).toBe(2)
  expect(await fixture.find(user, 'bad', { mode: 'lexical' })).toHaveLength(1)
  await expect(fixture.runs.retry({ run_id }, user)).rejects.toMatchObject({ code: 'CONFLICT' })
}, 90_000)

test('the same bytes under other paths are linked, in one run and in a later one, and outlive the first', async () => {
  const user = testUser()
  fixture.newProcess(true)
  const text = '# Bees\n\nThey fly over the meadow.'
  const first = await fixture.settled(user, await start(user, { 'a.md': text, 'copy/a.md': text, 'plain.txt': text }))
  expect(first).toMatchObject({ status: 'success', files_processed: 3 })
  // As plain text it is another text.
  expect(fixture.embedded).toHaveLength(2)
  const later = await fixture.settled(user, await start(user, { 'later.md': text }))
  expect(fixture.embedded).toHaveLength(2)
  const [file] = later.files
  expect(file).toMatchObject({ status: 'success', stage: 'done', chunks: 1 })
  const { versions } = await fixture.timelines.ofDocument({ document_id: file?.document_id ?? '' }, user)
  expect(versions[0]?.entries.map(({ step }) => step)).toEqual(['fetched', 'sniffed', 'embedded', 'indexed'])
  for (const { document_id } of first.files) await fixture.deletion.delete({ document_id: document_id ?? '' }, user)
  const hits = await fixture.find(user, 'meadow')
  expect(hits.map(({ uri, title }) => [uri, title])).toEqual([['upload://later.md', 'Bees']])
  await expect(fixture.timelines.ofDocument({ document_id: file?.document_id ?? '' }, testUser())).rejects.toMatchObject({
    code: 'DOCUMENT_NOT_FOUND',
  })
})
