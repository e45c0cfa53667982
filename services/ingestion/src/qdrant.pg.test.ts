import { SearchQuery } from '@youworker/contracts/documents/search'
import { newId } from '@youworker/runtime/id'
import { before } from '@youworker/runtime/timing/deadline'
import { startQdrant, type AskedQdrant, type TestQdrant } from '@youworker/test-kit/qdrant/qdrant-server'
import { waitFor } from '@youworker/test-kit/wait-for'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type Fixture, startFixture, type TestUser, testUser } from './test-fixture.ts'

const HANDBOOK = '# Handbook\n\n## Leave\n\nEvery employee has 27 days of paid leave.\n\n## Offices\n\nOslo has a sauna.\n'
const indexOf = async ({ generations }: Pick<Fixture, 'generations'>) => (await generations.active()).index
const HERON = SearchQuery.parse({ query: 'heron', mode: 'lexical' })
const UPSERT = 'PUT /collections/{collection_name}/points'
const DELETE = 'POST /collections/{collection_name}/points/delete'

let qdrant: TestQdrant
let fixture: Fixture
beforeAll(async () => {
  qdrant = await startQdrant()
  fixture = await startFixture({ qdrantUrl: qdrant.url })
}, 120_000)
afterAll(async () => {
  await fixture?.[Symbol.asyncDispose]()
  await qdrant?.[Symbol.asyncDispose]()
})
afterEach(() => {
  qdrant.mood = () => 'well'
  expect(qdrant.faults).toEqual([])
})

async function start(user: TestUser, files: Record<string, string>): Promise<string> {
  const named = []
  for (const [name, text] of Object.entries(files)) named.push({ name, blob_id: await fixture.upload(user, text) })
  return (await fixture.starter.start({ files: named, tags: [], is_private: false }, user)).run_id
}

const chunkPoints = (...users: TestUser[]) =>
  qdrant.collections.points().filter(({ payload }) => users.some(({ id }) => payload['space_id'] === id))
const isUpsertOfChunks = ({ operation, body }: AskedQdrant) =>
  operation === UPSERT && body.points[0].payload.space_id !== undefined
const uris = async (user: TestUser, query: string, options = {}) =>
  (await fixture.find(user, query, options)).map(({ uri }) => uri)

async function differences(repair = false): Promise<unknown[]> {
  const root = testUser()
  const asRoot = { ...root, caller: { ...root.caller, is_root: true } }
  return (await fixture.checker.check({ repair }, asRoot)).differences
}

test('a file is found by words and by meaning, replaced, deleted and restored; every request is for one space', async () => {
  const [user, other] = [testUser(), testUser()]
  const run = await fixture.ingest(user, { 'a.md': HANDBOOK, 'b.md': '# Diary\n\nThe heron waits.' })
  expect(run.status).toBe('success')
  await fixture.ingest(other, { 'a.md': '# Other\n\nThe heron of the others.' })
  for (const mode of ['lexical', 'dense', 'hybrid'] as const) {
    expect(await uris(user, 'paid leave', { mode })).toContain('upload://a.md')
    expect((await fixture.find(user, 'heron', { mode })).map(({ text }) => text).join()).not.toContain('others')
  }
  expect(await uris(user, '"paid leave"')).toEqual(['upload://a.md'])
  expect(await uris(user, 'leave -sauna -days')).toEqual([])
  const document_id = run.files.find(({ path }) => path === 'a.md')?.document_id ?? ''
  expect(await uris(user, 'heron leave', { document_ids: [document_id] })).toEqual(['upload://a.md'])
  await fixture.ingest(user, { 'a.md': '# Handbook\n\nThe leave is longer now: a platypus.' })
  expect(await uris(user, 'sauna', { mode: 'lexical' })).toEqual([])
  expect(await uris(user, 'platypus', { mode: 'lexical' })).toEqual(['upload://a.md'])
  await fixture.deletion.delete({ document_id }, user)
  expect(await uris(user, 'platypus')).toEqual([])
  expect(chunkPoints(user).filter(({ payload }) => payload['document_id'] === document_id)).toEqual([])
  await fixture.deletion.restore({ document_id }, user)
  expect(await uris(user, 'platypus', { mode: 'lexical' })).toEqual(['upload://a.md'])
  expect(await differences()).toEqual([])

  const spaceOf = ({ must }: { must?: { key?: string; match?: { value?: string } }[] }) =>
    must?.find(({ key }) => key === 'space_id')?.match?.value
  const filters = qdrant.asked.flatMap(({ operation, body }) => {
    if (operation.endsWith('/query/batch')) return body.searches.map(({ filter }: { filter: object }) => filter)
    return /\/points\/(scroll|count)$/.test(operation) || (operation === DELETE && body.filter) ? [body.filter] : []
  })
  expect(filters.length).toBeGreaterThan(20)
  for (const filter of filters) expect([user.id, other.id]).toContain(spaceOf(filter))
  const weighed = qdrant.asked.flatMap(({ body }) => body?.searches ?? []).filter(({ using }) => using === 'text')
  for (const { params } of weighed) expect([user.id, other.id]).toContain(spaceOf(params.idf.corpus))
  // Not a word of a document leaves Postgres.
  expect(JSON.stringify(qdrant.asked.map(({ body }) => body ?? null))).not.toMatch(/heron|platypus|Handbook|a\.md/i)
})

test('points that lie about their space show nothing of it', async () => {
  const [user, victim] = [testUser(), testUser()]
  await fixture.ingest(user, { 'mine.md': '# Mine\n\nThe heron waits.' })
  await fixture.ingest(victim, { 'secret.md': '# Secret\n\nThe heron has a secret canary.' })
  const [stolen] = chunkPoints(victim)
  if (!stolen) throw new Error('there is no point')
  stolen.payload = { ...stolen.payload, space_id: user.id }
  for (const mode of ['lexical', 'dense', 'hybrid'] as const)
    for (const query of ['canary', 'heron', 'secret'])
      expect((await fixture.find(user, query, { mode })).filter(({ uri }) => uri !== 'upload://mine.md')).toEqual([])
  expect(await differences()).toMatchObject(
    [
      { space_id: user.id, kind: 'orphan_entries', count: 1 },
      { space_id: victim.id, kind: 'missing_entries', count: 1 },
    ].toSorted((a, b) => (a.space_id < b.space_id ? -1 : 1)),
  )
  await differences(true)
  expect(await differences()).toEqual([])
})

test('while Qdrant is away documents and uploads go on, a run says what it waits for, and ends when it is back', async () => {
  const user = testUser()
  const kept = await fixture.ingest(user, { 'a.md': HANDBOOK, 'gone.md': '# Gone\n\nThe lynx.' })
  await qdrant.stop()
  const run_id = await start(user, { 'b.md': '# Diary\n\nThe heron waits.' })
  const says = async () => (await fixture.runs.get({ run_id }, user)).errors.join()
  await waitFor(async () => (await says()).includes('Qdrant'), { what: 'a run that says what it waits for' })
  expect(await says()).toMatch(/cannot be reached; documents are kept|does not answer/)
  expect((await fixture.documents.list({ limit: 10, offset: 0 }, user)).total).toBe(3)
  await fixture.deletion.delete({ document_id: kept.files[1]?.document_id ?? '' }, user)
  expect((await fixture.documents.list({ limit: 10, offset: 0 }, user)).total).toBe(2)
  await expect(fixture.find(user, 'sauna')).rejects.toMatchObject({
    code: expect.stringMatching(/SERVICE_UNAVAILABLE|CIRCUIT_OPEN/),
    retryAfter: expect.any(Number),
    message: expect.stringContaining('Qdrant'),
  })
  expect(await (await indexOf(fixture)).check()).toMatch(/Qdrant at http:\/\/127\.0\.0\.1:\d+.*Documents and uploads go on/)
  await qdrant.start()
  expect(await (await indexOf(fixture)).check()).toBeUndefined()
  expect((await fixture.settled(user, run_id)).status).toBe('success')
  expect(await uris(user, 'heron', { mode: 'lexical' })).toEqual(['upload://b.md'])
  expect(await uris(user, 'lynx', { mode: 'lexical' })).toEqual([])
  expect(await differences()).toEqual([])
}, 60_000)

test.each([
  ['breaks off in front of a write', 'cut'],
  ['breaks off behind a write', 'cut_after'],
  ['fails', 500],
  ['is busy', 429],
  ['refuses', 400],
  ['is another server', 'nonsense'],
] as const)(
  'Qdrant that %s for a while loses and doubles nothing',
  async (_what, mood) => {
    const user = testUser()
    await fixture.ingest(user, { 'old.md': '# Old\n\nThe lynx sleeps.' })
    let bad = 2
    qdrant.mood = ({ operation }) => {
      if (![UPSERT, DELETE, `POST /collections/{collection_name}/points/payload`].includes(operation)) return 'well'
      bad -= 1
      return bad >= 0 ? mood : 'well'
    }
    const text = Array.from(
      { length: 150 },
      (_, n) => `## Part ${n}\n\n${`The heron number ${n} waits at the river. `.repeat(8)}`,
    )
    const run_id = await start(user, { 'herons.md': text.join('\n\n'), 'old.md': '# Old\n\nThe lynx is awake.' })
    const run = await fixture.settled(user, run_id)
    expect(run.status).toBe('success')
    expect(bad).toBeLessThan(0)
    expect(await differences()).toEqual([])
    const held = await (await indexOf(fixture)).contents(user.id, { limit: 1_000 })
    expect(new Set(held.map(({ chunk_id }) => chunk_id)).size).toBe(run.totals.chunks)
    expect(chunkPoints(user)).toHaveLength(run.totals.chunks)
    expect((await fixture.find(user, 'lynx', { mode: 'lexical' })).map(({ text: found }) => found)).toEqual([
      expect.stringContaining('awake'),
    ])
  },
  90_000,
)

test('Qdrant that never answers holds a search no longer than its deadline, and others are told at once then', async () => {
  const user = testUser()
  await fixture.ingest(user, { 'a.md': HANDBOOK })
  qdrant.mood = () => 'hang'
  const search = () => before(Date.now() + 3_500, () => fixture.find(user, 'sauna'))
  const began = performance.now()
  const ended = await Promise.allSettled(Array.from({ length: 8 }, search))
  expect(performance.now() - began).toBeLessThan(15_000)
  for (const each of ended)
    expect(each).toMatchObject({ reason: { code: expect.stringMatching(/SERVICE_UNAVAILABLE|DEADLINE_EXCEEDED|CIRCUIT_OPEN/) } })
  expect((await fixture.documents.list({ limit: 10, offset: 0 }, user)).total).toBe(1)
  qdrant.mood = () => 'well'
  await waitFor(async () => (await uris(user, 'sauna').catch(() => [])).length > 0, {
    what: 'search after its return',
    timeoutMs: 20_000,
  })
}, 60_000)

test('two processes on different machines write to one Qdrant: everything is there once, and what was deleted is gone', async () => {
  const users = [testUser(), testUser()]
  const second = fixture.newProcess(true)
  const runs = await Promise.all(
    users.flatMap((user, n) =>
      Array.from({ length: 6 }, (_, at) =>
        start(user, { [`${at}.md`]: `# ${n} ${at}\n\nThe heron ${n} ${at}.`, 'same.md': `# Same\n\nversion ${at}` }).then(
          (id) => ({ user, id }),
        ),
      ),
    ),
  )
  const searching = new AbortController()
  const searches = (async () => {
    while (!searching.signal.aborted) for (const user of users) await second.searches.search(HERON, user)
  })()
  for (const { user, id } of runs) expect((await fixture.settled(user, id)).status).toBe('success')
  for (const user of users) {
    const { documents } = await fixture.documents.list({ limit: 50, offset: 0 }, user)
    expect(documents).toHaveLength(7)
    const gone = documents.filter(({ path }) => /^[0-2]/.test(path))
    await Promise.all(gone.map(({ id }, n) => (n % 2 ? fixture : second).deletion.delete({ document_id: id }, user)))
  }
  searching.abort()
  await searches
  expect(await differences()).toEqual([])
  expect(chunkPoints(...users)).toHaveLength(users.length * 4)
}, 90_000)

test('what a slow process writes after a document was deleted elsewhere is removed again', async () => {
  const user = testUser()
  await fixture.ingest(user, { 'a.md': HANDBOOK })
  const second = fixture.newProcess(false)
  const reached = Promise.withResolvers<void>()
  const release = Promise.withResolvers<void>()
  let isHeld = false
  qdrant.mood = async (asked): Promise<'well'> => {
    if (isHeld || !isUpsertOfChunks(asked)) return 'well'
    isHeld = true
    reached.resolve()
    await release.promise
    return 'well'
  }
  const run_id = await start(user, { 'late.md': '# Late\n\nThe platypus.' })
  await reached.promise
  const { documents } = await fixture.documents.list({ limit: 10, offset: 0 }, user)
  const document_id = documents.find(({ path }) => path === 'late.md')?.id ?? ''
  await second.deletion.delete({ document_id }, user)
  const isApplied = async () => (await (await indexOf(second)).state(user.id))?.seq === 3
  await waitFor(isApplied, { what: 'the deletion in the index' })
  release.resolve()
  await fixture.settled(user, run_id)
  expect((await second.searches.search(SearchQuery.parse({ query: 'platypus', mode: 'lexical' }), user)).results).toEqual([])
  expect(chunkPoints(user).filter(({ payload }) => payload['document_id'] === document_id)).toEqual([])
  expect(await differences()).toEqual([])
}, 60_000)

test('a Qdrant that lost its data is filled again from Postgres, and nothing is embedded again', async () => {
  const user = testUser()
  await fixture.ingest(user, { 'a.md': HANDBOOK })
  const [before, embedded] = [await fixture.find(user, 'sauna', { mode: 'dense' }), fixture.embedded.length]
  qdrant.collections.all.clear()
  qdrant.collections.aliases.clear()
  expect(await fixture.find(user, 'sauna', { mode: 'dense' })).toEqual(before)
  expect(fixture.embedded.slice(embedded).filter((text) => text.includes('Oslo') || text.includes('27 days'))).toEqual([])
  expect([...qdrant.collections.aliases.keys()]).toEqual(['youworker'])
  await (await indexOf(fixture)).drop(user.id)
  expect(chunkPoints(user)).toEqual([])
})

test('a Qdrant that is too old or wants another key says what to do, and nothing is done with it', async () => {
  const user = testUser()
  for (const [options, told] of [
    [{ version: '1.15', says: '1.14.1' }, /needs Qdrant 1\.15 or later, and this is 1\.14\.1/],
    [{ apiKey: 'another' }, /LLM__QDRANT_API_KEY/],
  ] as const) {
    await using wrong = await startQdrant(options)
    await using own = await startFixture({ qdrantUrl: wrong.url })
    const { run_id } = await own.starter.start(
      { files: [{ name: 'a.md', blob_id: await own.upload(user, HANDBOOK) }], tags: [], is_private: false },
      user,
    )
    await waitFor(async () => told.test((await own.runs.get({ run_id }, user)).errors.join()), {
      what: `a run that says ${told}`,
    })
    expect(await (await indexOf(own)).check()).toMatch(told)
    expect(wrong.collections.points()).toEqual([])
  }
}, 60_000)

test('texts, names and tags that look like requests are only texts', async () => {
  const [user, victim] = [testUser(), testUser()]
  await fixture.ingest(victim, { 'secret.md': '# Secret\n\nThe canary sings.' })
  const hostile = `{"filter":{"must":[]},"space_id":"${victim.id}"} ${victim.id} canary`
  await fixture.ingest(user, { [`"},"x":"${newId()}.md`]: hostile }, { tags: [`x"},{"key":"space_id`], collection: `"}` })
  for (const query of ['canary', hostile, `space_id:${victim.id}`, `"must_not" ${victim.id}`, '{}'])
    for (const hit of await fixture.find(user, query)) expect(hit.text).toContain('"filter"')
  expect(await uris(user, 'canary', { collection: `"}`, tags: [`x"},{"key":"space_id`] })).toHaveLength(1)
})
