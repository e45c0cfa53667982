import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { IndexGeneration } from '@youworker/contracts/documents/index-generations'
import { SearchQuery } from '@youworker/contracts/documents/search'
import { silentLogger } from '@youworker/runtime/logger'
import { startQdrant } from '@youworker/test-kit/qdrant/qdrant-server'
import { startEmbeddingServer, type TestEmbeddingServer } from '@youworker/test-kit/models/embedding-server'
import { waitFor } from '@youworker/test-kit/wait-for'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createEmbeddedIndex } from './clients/embedded-index/embedded-index.ts'
import { type Fixture, startFixture, type TestUser, testUser } from './test-fixture.ts'

const [OLD, NEW] = ['old-embed', 'new-embed']
const ANIMALS = ['heron', 'otter', 'badger', 'lynx', 'marmot', 'viper', 'stork', 'beaver']
type Process = ReturnType<Fixture['newProcess']>

let models: TestEmbeddingServer
let fixture: Fixture
beforeEach(async () => {
  models = await startEmbeddingServer()
  models.put(OLD, { dimensions: 48 })
  fixture = await startFixture({ modelUrl: models.url, embedModel: OLD })
}, 120_000)
afterEach(async () => {
  await fixture?.[Symbol.asyncDispose]()
  await models?.[Symbol.asyncDispose]()
})

/** As a restart with the model in its settings. */
async function withModel(model: string): Promise<Process> {
  const process = fixture.newProcess(true, undefined, undefined, model)
  await process.generations.check()
  return process
}

const rootOf = (user = testUser()): TestUser => ({ ...user, caller: { ...user.caller, is_root: true } })
const statusOf = async ({ operator }: Pick<Process, 'operator'>): Promise<readonly IndexGeneration[]> =>
  (await operator.get({}, rootOf())).generations
const textOf = (animal: string) => `# ${animal}\n\nThe ${animal} waits at the ${animal} lake.\n`
const filesOf = (animals: readonly string[]) => Object.fromEntries(animals.map((animal) => [`${animal}.md`, textOf(animal)]))

async function found(
  { searches }: Pick<Process, 'searches'>,
  user: TestUser,
  query: string,
  mode: 'dense' | 'lexical' | 'hybrid',
) {
  const { results, words_only } = await searches.search(SearchQuery.parse({ query: `the ${query} lake`, mode }), user)
  return { uri: results[0]?.uri, words_only }
}

const switched = (process: Process, model: string) =>
  waitFor(async () => (await statusOf(process)).some((one) => one.state === 'active' && one.embed_model === model), {
    what: `the switch to ${model}`,
    timeoutMs: 60_000,
  })
const modelsOf = () =>
  fixture.database.transact('*', 'read', async ({ trx }) => {
    const rows = await trx.selectFrom('embeddings').select('model').distinct().execute()
    return rows.map(({ model }) => model).toSorted()
  })

test('another model: every search is answered while all is embedded again, and what changes meanwhile is right afterwards', async () => {
  const users = [testUser(), testUser(), testUser()]
  for (const user of users) await fixture.ingest(user, filesOf(ANIMALS))
  models.put(NEW, { dimensions: 32, delayMs: 150 })
  const next = await withModel(NEW)
  await waitFor(async () => (await statusOf(next)).length === 2, { what: 'the second index' })

  let isDone = false
  let [searched, wrong]: [number, string[]] = [0, []]
  const search = async (process: Process, user: TestUser) => {
    for (; !isDone; searched += 1) {
      const animal = ANIMALS[searched % 6] ?? ''
      for (const mode of ['dense', 'hybrid', 'lexical'] as const) {
        const { uri, words_only } = await found(process, user, animal, mode)
        if (uri !== `upload://${animal}.md` || words_only) wrong.push(`${animal} ${mode}: ${uri} ${words_only}`)
      }
    }
  }
  const searching = users.flatMap((user) => [search(fixture, user), search(next, user)])
  const [user] = users
  if (!user) throw new Error('no user')
  // One is new, one is another text, and one is deleted, while the second index is filled.
  await fixture.ingest(user, { 'walrus.md': textOf('walrus'), 'stork.md': textOf('penguin') })
  const { documents } = await fixture.documents.list({ limit: 20, offset: 0 }, user)
  const beaver = documents.find(({ path }) => path === 'beaver.md')
  await fixture.deletion.delete({ document_id: beaver?.id ?? '' }, user)
  expect((await statusOf(next))[0]).toMatchObject({ state: 'building', embed_model: NEW })
  await switched(next, NEW)
  await waitFor(async () => (await fixture.generations.active()).number === 2, { what: 'the switch in the other process' })
  const before = searched
  await waitFor(() => searched > before + 10, { what: 'searches in the new index' })
  isDone = true
  await Promise.all(searching)
  expect({ wrong, enough: searched > 20 }).toEqual({ wrong: [], enough: true })

  for (const process of [fixture, next]) {
    for (const mode of ['dense', 'lexical'] as const) {
      expect((await found(process, user, 'walrus', mode)).uri).toBe('upload://walrus.md')
      expect((await found(process, user, 'penguin', mode)).uri).toBe('upload://stork.md')
      expect((await found(process, user, 'beaver beaver', mode)).uri).not.toBe('upload://beaver.md')
    }
    expect((await fixture.checker.check({ repair: false }, rootOf())).differences).toEqual([])
  }
  await waitFor(async () => (await next.cleaner.sweep(), (await statusOf(next)).some(({ state }) => state === 'erased')), {
    what: 'the end of the old index',
    timeoutMs: 60_000,
  })
  expect(await modelsOf()).toEqual([NEW])
  expect((await readdir(fixture.indexDir)).toSorted()).toEqual(['generation-2', 'machine'])
  expect((await found(fixture, user, 'otter', 'dense')).uri).toBe('upload://otter.md')
  // The deleted one comes back with a vector of the new model.
  await fixture.deletion.restore({ document_id: beaver?.id ?? '' }, user)
  expect((await found(fixture, user, 'beaver', 'dense')).uri).toBe('upload://beaver.md')
}, 120_000)

test('an unknown model is told and changes nothing; the model before again drops it', async () => {
  const user = testUser()
  await fixture.ingest(user, filesOf(ANIMALS))
  const wrong = await withModel('no-such-model')
  const problem = await waitFor(async () => (await statusOf(wrong)).find(({ state }) => state === 'building')?.problem, {
    what: 'the problem',
  })
  expect(problem).toContain('ollama pull no-such-model')
  await waitFor(async () => JSON.stringify(await wrong.generations.check()).includes('ollama pull'), { what: 'health' })
  expect(await found(wrong, user, 'otter', 'dense')).toEqual({ uri: 'upload://otter.md' })
  await fixture.ingest(user, { 'walrus.md': textOf('walrus') })
  expect(await found(wrong, user, 'walrus', 'dense')).toEqual({ uri: 'upload://walrus.md' })

  const back = await withModel(OLD)
  const after = await waitFor(async () => ((await statusOf(back))[0]?.state === 'retired' ? statusOf(back) : undefined), {
    what: 'the second index to be dropped',
  })
  expect(after.map(({ state, embed_model }) => `${state} ${embed_model}`)).toEqual(['retired no-such-model', `active ${OLD}`])
  await waitFor(async () => (await wrong.generations.check()) === undefined, { what: 'health without a word of it' })
}, 60_000)

test('while the model before is gone, searches go by words and say so, and new files are taken; the new one brings vectors back', async () => {
  const user = testUser()
  await fixture.ingest(user, filesOf(ANIMALS))
  models.put(NEW, { dimensions: 32, delayMs: 400 })
  models.remove(OLD)
  const next = await withModel(NEW)
  await waitFor(async () => (await statusOf(next)).length === 2, { what: 'the second index' })
  await waitFor(async () => (await fixture.generations.embeddings()).length === 2, { what: 'the first process' })
  const hybrid = await found(next, user, 'otter', 'hybrid')
  expect(hybrid).toEqual({ uri: 'upload://otter.md', words_only: true })
  await expect(found(next, user, 'otter', 'dense')).rejects.toMatchObject({ code: 'LLM_ERROR' })
  expect(await fixture.ingest(user, { 'walrus.md': textOf('walrus') })).toMatchObject({ status: 'success' })
  expect((await found(fixture, user, 'walrus', 'lexical')).uri).toBe('upload://walrus.md')
  await switched(next, NEW)
  for (const animal of ['otter', 'walrus'])
    await waitFor(async () => (await found(fixture, user, animal, 'dense')).uri === `upload://${animal}.md`, {
      what: `${animal} by its vector`,
    })
}, 90_000)

test('the index moves to Qdrant and back while searches go on', async () => {
  await fixture[Symbol.asyncDispose]()
  await using qdrant = await startQdrant({ version: '1.19' })
  fixture = await startFixture({ modelUrl: models.url, embedModel: OLD, qdrantUrl: qdrant.url, hasQdrant: false })
  const user = testUser()
  await fixture.ingest(user, filesOf(ANIMALS))
  await expect(fixture.operator.migrate({ to: 'qdrant' }, rootOf())).rejects.toMatchObject({ code: 'CONFLICT' })
  const next = fixture.newProcess(true, undefined, undefined, OLD, true)
  // A Qdrant in the settings alone moves nothing.
  await next.generations.check()
  expect(await statusOf(next)).toHaveLength(1)
  await fixture.deletion.delete(
    {
      document_id:
        (await fixture.documents.list({ limit: 9, offset: 0 }, user)).documents.find(({ path }) => path === 'stork.md')?.id ?? '',
    },
    user,
  )
  for (const to of ['qdrant', 'embedded'] as const) {
    await next.operator.migrate({ to }, rootOf())
    await next.operator.migrate({ to }, rootOf())
    for (;;) {
      for (const mode of ['dense', 'lexical'] as const)
        expect((await found(next, user, 'otter', mode)).uri).toBe('upload://otter.md')
      const [newest] = await statusOf(next)
      if (newest?.state === 'active' && newest.adapter === to) break
    }
    for (const animal of ['otter', 'beaver'])
      for (const mode of ['dense', 'lexical'] as const)
        await waitFor(async () => (await found(next, user, animal, mode)).uri === `upload://${animal}.md`, {
          what: `${animal} ${mode}`,
        })
    expect((await next.checker.check({ repair: false }, rootOf())).differences).toEqual([])
    await expect(next.operator.migrate({ to }, rootOf())).rejects.toMatchObject({ code: 'CONFLICT' })
  }
  // No passage was embedded again.
  expect(fixture.embedded.filter((text) => text.includes('waits at the'))).toHaveLength(ANIMALS.length)
  expect(qdrant.faults).toEqual([])
}, 90_000)

test('root cancels it; users may neither look nor change anything; what indexes have of nobody is told and erased', async () => {
  const user = testUser()
  await fixture.ingest(user, filesOf(ANIMALS))
  models.put(NEW, { dimensions: 32, delayMs: 2_000 })
  const next = await withModel(NEW)
  await waitFor(async () => (await statusOf(next)).length === 2, { what: 'the second index' })
  for (const refused of [
    () => next.operator.get({}, user),
    () => next.operator.cancel({}, user),
    () => next.operator.migrate({ to: 'qdrant' }, user),
  ])
    await expect(refused()).rejects.toMatchObject({ code: 'NOT_AUTHORIZED' })
  expect((await next.operator.cancel({}, rootOf())).generations[0]).toMatchObject({ state: 'retired' })
  await expect(next.operator.cancel({}, rootOf())).rejects.toMatchObject({ code: 'CONFLICT' })
  expect((await found(next, user, 'otter', 'dense')).uri).toBe('upload://otter.md')

  const stranger = testUser().id
  await fixture.index.reset(stranger, { epoch: stranger, model: 'x' })
  const lost = createEmbeddedIndex(join(fixture.indexDir, 'generation-9'), { logger: silentLogger() })
  await lost.reset(stranger, { epoch: stranger, model: 'x' })
  await lost[Symbol.asyncDispose]()
  const strays = [
    { space_id: stranger, kind: 'unknown_spaces', count: 1 },
    { space_id: null, kind: 'unknown_indexes', count: 1 },
  ]
  const check = async (repair: boolean) => (await fixture.checker.check({ repair }, rootOf())).differences
  expect(await check(false)).toEqual(strays.map((stray) => ({ ...stray, repaired: false })))
  expect(await check(true)).toEqual(strays.map((stray) => ({ ...stray, repaired: true })))
  expect(await check(false)).toEqual([])
  expect((await readdir(fixture.indexDir)).filter((name) => name.includes(stranger) || name === 'generation-9')).toEqual([])
}, 60_000)
