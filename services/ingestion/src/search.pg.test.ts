import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type SearchAnswer, SearchQuery } from '@youworker/contracts/documents/search'
import { newId } from '@youworker/runtime/id'
import { ExplainQuery } from '@youworker/contracts/documents/explain'
import { waitFor } from '@youworker/test-kit/wait-for'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Fixture, startFixture, type TestUser, testUser } from './test-fixture.ts'

/** Not with a Qdrant of the environment. */
const isElsewhere = process.env['LLM__QDRANT_URL'] !== undefined

const LANGUAGES = {
  'leave.md': 'Employees receive 27 days of paid leave per year. Ask Mr. Müller in the office about it.',
  'urlaub.md': 'Mitarbeiter erhalten 27 Tage bezahlten Urlaub. Die Kündigungsfristen regelt der Vertrag in der Münchner Straße.',
  'conges.md': "Les employés reçoivent des congés payés. Le remboursement des frais se fait à l'été par le service.",
  'vacaciones.md': 'Los empleados reciben vacaciones pagadas cada año y los contratos se firman en la oficina de la empresa.',
  'ferie.md': 'I dipendenti ricevono ferie retribuite ogni anno, e i contratti vengono firmati nella nostra sede di Milano.',
  'ferias.md': 'Os funcionários recebem férias remuneradas todos os anos e as licenças são pedidas ao departamento pessoal.',
  'verlof.md': 'Werknemers krijgen betaald verlof en de vakantiedagen worden per jaar door de werkgever vastgesteld.',
  'urlop.md': 'Pracownicy otrzymują płatny urlop, a umowy o pracę są podpisywane w naszej siedzibie w Łodzi co roku.',
  'otpusk.md': 'Сотрудники получают оплачиваемый отпуск каждый год, а сроки договоров определяет отдел кадров компании.',
  'izin.md': 'Çalışanlar her yıl ücretli izin alır ve sözleşmeler şirketin İzmir ofisinde imzalanır; ışıklar akşam kapatılır.',
}

test('a question finds chunks of every language that a space holds, by other forms of its words', async () => {
  await using fixture = await startFixture()
  const user = testUser()
  await fixture.ingest(user, LANGUAGES)
  const first = async (query: string) => (await fixture.find(user, query, { mode: 'lexical', top_k: 3 }))[0]?.uri ?? 'nothing'
  const wanted: Record<string, string> = {
    employee: 'leave',
    'How many days of leave?': 'leave',
    mueller: 'leave',
    Kündigungsfrist: 'urlaub',
    'Muenchner Strasse': 'urlaub',
    remboursements: 'conges',
    'conge paye': 'conges',
    'empleado vacación': 'vacaciones',
    'contratto di Milano': 'ferie',
    'pedir licença': 'ferias',
    vakantiedag: 'verlof',
    'umowa lodz': 'urlop',
    'срок договора': 'otpusk',
    'sözleşme izmir': 'izin',
    isik: 'izin',
  }
  for (const [query, name] of Object.entries(wanted)) expect(`${query}: ${await first(query)}`).toContain(`${name}.md`)
  expect(await fixture.find(user, 'zebra quantum', { mode: 'lexical' })).toEqual([])
})

test('a German compound and its words find each other, below what has the word itself; phrases and -words take it whole', async () => {
  await using fixture = await startFixture()
  const user = testUser()
  await fixture.ingest(user, {
    'whole.md': 'Ein Urlaubsantrag muss rechtzeitig gestellt werden.',
    'apart.md': 'Der Antrag auf Urlaub wird von der Leitung genehmigt.',
    'other.md': 'Unterschrift und Vorschrift gehören zu jeder Wirtschaft in Deutschland.',
  })
  const titles = async (query: string) => (await fixture.find(user, query, { mode: 'lexical' })).map(({ title }) => title)
  expect(await titles('Urlaubsanträge')).toEqual(['whole.md', 'apart.md'])
  expect((await titles('Antrag auf Urlaub')).toSorted()).toEqual(['apart.md', 'whole.md'])
  expect(await titles('"Urlaub"')).toEqual(['apart.md'])
  expect(await titles('Antrag -Urlaub')).toEqual(['whole.md'])
  expect(await titles('Schrift')).toEqual([])
  const [hit] = await fixture.find(user, 'Urlaub', {
    mode: 'lexical',
    document_ids: [await documentOf(fixture, user, 'rechtzeitig')],
  })
  expect(hit?.highlights?.map(({ start, end }) => hit.text.slice(start, end))).toEqual(['Urlaubsantrag'])
})

test('phrases are kept together and words are left out, in every mode', async () => {
  await using fixture = await startFixture()
  const user = testUser()
  await fixture.ingest(user, {
    'a.md': 'In a case of force majeure the insurance does not pay.',
    'b.md': 'The force of the wind was a majeure surprise to everybody in the town.',
    'c.md': 'Force majeure ends the contract; nobody pays.',
  })
  for (const mode of ['lexical', 'hybrid', 'dense'] as const) {
    const names = async (query: string) => (await fixture.find(user, query, { mode })).map(({ title }) => title).sort()
    expect(await names('"force majeure"')).toEqual(['a.md', 'c.md'])
    expect(await names('"force majeure" -insurance')).toEqual(['c.md'])
    expect(await names('"majeure force"')).toEqual([])
  }
})

test.skipIf(isElsewhere)('of a long question the rarest words count', async () => {
  await using fixture = await startFixture()
  const user = testUser()
  const common = Array.from({ length: 100 }, (_, n) => `word${n}`)
  await fixture.ingest(user, {
    'common.md': common.join(' '),
    'rare.md': 'The platypus is rare.',
    'other.md': common.join(' and '),
  })
  const [best] = await fixture.find(user, `${common.join(' ')} platypus`, { mode: 'lexical' })
  expect(best?.title).toBe('rare.md')
})

test.skipIf(isElsewhere)(
  'an index file of an earlier layout is made anew, also from chunks whose language was never told',
  async () => {
    await using fixture = await startFixture()
    const user = testUser()
    await fixture.ingest(user, { 'umowy.md': LANGUAGES['urlop.md'] })
    await fixture.database.transact(user.id, 'write', async ({ trx }) => {
      await trx.updateTable('chunks').set({ language: null }).execute()
      await trx.updateTable('space_indexes').set({ languages: [] }).execute()
    })
    using file = new DatabaseSync(join(fixture.indexDir, `${user.id}.sqlite`))
    file.exec('pragma user_version = 1')
    expect(await fixture.find(user, 'umowa', { mode: 'lexical' })).toHaveLength(1)
  },
)

test('while an index is being filled, a search says that not all was searched', async () => {
  await using fixture = await startFixture()
  const user = testUser()
  await fixture.ingest(user, { 'kelp.md': '# Kelp\n\nKelp grows fast.' })
  await fixture.database.transact(user.id, 'write', ({ trx }) => trx.deleteFrom('embeddings').execute())
  await fixture.index.drop(user.id)
  const release = Promise.withResolvers<void>()
  const slow = fixture.newProcess(false, ({ model, embed }) => ({
    model,
    embed: (texts, options) => release.promise.then(() => embed(texts, options)),
  }))
  const ask = () => slow.searches.search(SearchQuery.parse({ query: 'kelp', mode: 'lexical' }), user)
  const early = await ask()
  expect([early.incomplete, early.searched]).toEqual([['index'], undefined])
  release.resolve()
  const whole = await waitFor(async () => [await ask()].find(({ incomplete }) => incomplete === undefined), { what: 'the index' })
  expect([whole.results.length, whole.searched]).toEqual([1, [user.id]])
}, 60_000)

test('a question that matches nothing is answered by nothing, in every mode', async () => {
  await using fixture = await startFixture()
  const user = testUser()
  await fixture.ingest(user, LANGUAGES)
  for (const mode of ['lexical', 'hybrid', 'dense'] as const) {
    for (const query of ['zebra quantum', 'xylophone', '🙂', 'Who sells bicycles on Mars?'])
      expect(await fixture.find(user, query, { mode })).toEqual([])
  }
  expect((await fixture.find(user, 'paid leave', { mode: 'dense' }))[0]?.title).toBe('leave.md')
})

test('hits are narrowed by space, kind of file, document, date, tags and collection', async () => {
  await using fixture = await startFixture()
  const user = testUser()
  const group_id = newId()
  fixture.groups.set(group_id, new Set([user.id]))
  await fixture.ingest(user, { 'own.md': 'The sauna is open.' }, { tags: ['wood'], collection: 'rooms' })
  await fixture.ingest(user, { 'shared.txt': 'A sauna for the group.' }, { group_id })
  const titles = async (options: Partial<SearchQuery>) =>
    (await fixture.find(user, 'sauna', options)).map(({ title }) => title).sort()
  const [own] = await fixture.find(user, 'open', { mode: 'lexical' })
  const soon = new Date(Date.now() + 60_000).toISOString()
  expect(await titles({})).toEqual(['own.md', 'shared.txt'])
  expect(await titles({ space_id: user.id })).toEqual(['own.md'])
  expect(await titles({ space_id: group_id })).toEqual(['shared.txt'])
  expect(await titles({ space_id: user.id, group_id })).toEqual([])
  expect(await titles({ mime: 'text/markdown' })).toEqual(['own.md'])
  expect(await titles({ mime: 'text/*' })).toEqual(['own.md', 'shared.txt'])
  expect(await titles({ mime: 'image/*' })).toEqual([])
  expect(await titles({ document_ids: [own?.document_id ?? ''] })).toEqual(['own.md'])
  expect(await titles({ ingested_after: soon })).toEqual([])
  expect(await titles({ ingested_before: soon })).toEqual(['own.md', 'shared.txt'])
  expect(await titles({ tags: ['wood'] })).toEqual(['own.md'])
  expect(await titles({ collection: 'rooms' })).toEqual(['own.md'])
  await expect(fixture.find(user, 'sauna', { space_id: newId() })).rejects.toMatchObject({ code: 'GROUP_NOT_FOUND' })
})

test('a hit says where its words are, what stands around it, and where its text stands, too', async () => {
  await using fixture = await startFixture()
  const user = testUser()
  const sections = ['Arrival by train.', 'The sauna is heated daily.', 'Departure before noon.']
  const text = sections.map((line, n) => `## Part ${n}\n\n${line}`).join('\n\n')
  await fixture.ingest(user, { 'a.md': text, 'b.md': '## Part 1\n\nThe sauna is heated daily.' })
  const hits = await fixture.find(user, 'heating of the SAUNA', { mode: 'lexical', context: 1 })
  expect(hits).toHaveLength(1)
  const [hit] = hits
  expect(hit?.highlights?.map(({ start, end }) => hit.text.slice(start, end))).toEqual(['sauna', 'heated'])
  expect(hit?.also_in).toHaveLength(1)
  expect(hit?.also_in?.[0]?.document_id).not.toBe(hit?.document_id)
  const whole = (await fixture.find(user, 'sauna', { document_ids: [await documentOf(fixture, user, 'Arrival')], context: 1 }))[0]
  expect(whole?.context?.map(({ position, text: around }) => [position, around])).toEqual([
    [-1, 'Arrival by train.'],
    [1, 'Departure before noon.'],
  ])
})

const documentOf = async (fixture: Fixture, user: TestUser, query: string) =>
  (await fixture.find(user, query, { mode: 'lexical' }))[0]?.document_id ?? ''

test('a long list is read page by page, each hit once; on request, hits that repeat one above come later', async () => {
  await using fixture = await startFixture()
  const user = testUser()
  const files = Array.from({ length: 45 }, (_, n) => [`f${n}.md`, `Common words and the number ${n * 7_919}.`])
  await fixture.ingest(user, {
    ...Object.fromEntries(files),
    'other.md': 'Common ground of zebras, lions and elephants in the zoo.',
  })
  const page = (offset: number, more: Partial<SearchQuery> = {}) =>
    fixture.searches.search(SearchQuery.parse({ query: 'common', mode: 'lexical', top_k: 20, offset, ...more }), user)
  const seen: string[] = []
  for (let next: number | undefined = 0; next !== undefined;) {
    const answer: SearchAnswer = await page(next)
    seen.push(...answer.results.map(({ chunk_id }) => chunk_id))
    next = answer.next_offset
  }
  expect(new Set(seen).size).toBe(46)
  expect(seen).toHaveLength(46)
  const plain = (await page(0)).results.map(({ title }) => title)
  expect(plain.indexOf('other.md')).not.toBe(1)
  expect((await page(0, { diversity: 0.7 })).results[1]?.title).toBe('other.md')
})

describe('an explanation', () => {
  let fixture: Fixture
  const user = testUser()
  beforeAll(async () => {
    fixture = await startFixture()
    await fixture.ingest(user, {
      'sauna.md': 'The sauna is heated daily by the caretaker.',
      'both.md': 'Sauna, sauna, sauna: a sauna for everybody, force majeure excluded.',
      'order.md': 'The majeure force of the wind.',
    })
  })
  afterAll(() => fixture[Symbol.asyncDispose]())

  const explain = async (title: string, query: Record<string, unknown>, as = user) => {
    const { documents } = await fixture.documents.list({ limit: 50, offset: 0, include_deleted: false }, user)
    const document_id = documents.find((document) => document.title === title)?.id
    return fixture.explainer.explain(ExplainQuery.parse({ document_id, ...query }), as)
  }

  test('names ranks, scores and terms of what was returned', async () => {
    const found = await explain('sauna.md', { query: 'heating the sauna' })
    expect(found).toMatchObject({
      verdict: 'returned',
      space: { id: user.id, is_readable: true, is_asked: true },
      failed_filters: [],
    })
    expect(found.chunks[0]).toMatchObject({ index: 0, language: 'en', lexical: { rank: 1 }, fused: { rank: 1 } })
    expect(found.terms).toContainEqual({ forms: ['sauna'], use: 'should', weight: 1, chunks: 2 })
  })

  test.each([
    ['sauna.md', { query: 'sauna', top_k: 1 }, 'below_cut_off'],
    ['sauna.md', { query: 'zebra', mode: 'lexical' }, 'no_word_in_common'],
    ['sauna.md', { query: 'sauno caretakr' }, 'below_floor'],
    ['sauna.md', { query: 'sauna', tags: ['none'], mime: 'text/markdown' }, 'filtered_out'],
    ['order.md', { query: '"force majeure"' }, 'phrase_missing'],
    ['both.md', { query: 'sauna -majeure' }, 'excluded_word'],
  ])('says why %s was not returned to %o: %s', async (title, query, verdict) => {
    expect(await explain(title, query)).toMatchObject({ verdict })
  })

  test('of the documents of others is given to nobody but root, who sees no text and is audited', async () => {
    const stranger = testUser()
    await expect(explain('sauna.md', { query: 'sauna' }, stranger)).rejects.toMatchObject({ code: 'DOCUMENT_NOT_FOUND' })
    await expect(explain('sauna.md', { query: 'sauna', as_user_id: user.id }, stranger)).rejects.toMatchObject({
      code: 'NOT_AUTHORIZED',
    })
    const root: TestUser = { ...stranger, caller: { ...stranger.caller, is_root: true } }
    const asOwner = await explain('sauna.md', { query: 'sauna heated', as_user_id: user.id }, root)
    expect(asOwner).toMatchObject({ verdict: 'returned' })
    expect(JSON.stringify(asOwner)).not.toContain('caretaker')
    expect(await explain('sauna.md', { query: 'sauna', as_user_id: newId() }, root)).toMatchObject({
      verdict: 'space_not_readable',
      chunks: [],
    })
    const audited = await fixture.database.system
      .selectFrom('outbox')
      .select('subject')
      .where('subject', 'like', '%audit%')
      .execute()
    expect(audited).toHaveLength(3)
  })
})
