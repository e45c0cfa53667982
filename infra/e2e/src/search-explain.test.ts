import { afterAll, beforeAll, expect, test } from 'vitest'
import { failure, type Person } from './support/person.ts'
import { startTestSystem, type TestSystem } from './support/system.ts'

let system: TestSystem
let ada: Person
let bob: Person
let group_id: string
const ids = new Map<string, string>()

beforeAll(async () => {
  system = await startTestSystem()
  ada = await system.newPerson('ada')
  bob = await system.newPerson('bob')
  group_id = (await bob.post('/v1/groups', { name: 'Rowers' })).body.id
  await upload(ada, 'sauna.md', 'The sauna is heated daily by the caretaker.', { tags: 'wood', collection: 'rooms' })
  await upload(ada, 'many.md', 'Sauna, sauna, sauna: a sauna for everybody, force majeure excluded.')
  await upload(ada, 'order.md', 'The majeure force of the wind.')
  await upload(ada, 'copy.md', 'The sauna is heated daily by the caretaker.')
  await upload(ada, 'gone.md', 'The old sauna burned down.')
  await upload(ada, 'tour.md', 'A sauna tour of the examples.', { collection: 'youworker-examples' })
  await upload(bob, 'rowing.md', 'The rowers have a sauna at the pier.', { group_id })
}, 120_000)
afterAll(() => system?.[Symbol.asyncDispose]())

async function upload(person: Person, name: string, content: string, fields: Record<string, string> = {}): Promise<void> {
  const { body } = await person.upload([{ name, content }], { wait: 'true', ...fields })
  ids.set(name, body.files[0].document_id)
}

const explain = (name: string, query: object, person = ada) =>
  person.post('/v1/search/explain', { query: 'sauna', document_id: ids.get(name), ...query })
const verdict = async (name: string, query: object, person = ada) => (await explain(name, query, person)).body.verdict

test('what was returned has rank and score on each side', async () => {
  const { status, body } = await explain('sauna.md', { query: 'heating the sauna' })
  expect(status).toBe(200)
  expect(body).toMatchObject({
    verdict: 'returned',
    because: expect.any(String),
    space: { id: ada.id, is_readable: true, is_asked: true },
    failed_filters: [],
    embedding: { weight: expect.any(Number), floor: expect.any(Number) },
    cut_off: { from: 0, to: 10 },
  })
  const side = { rank: expect.any(Number), score: expect.any(Number) }
  expect(body.chunks[0]).toMatchObject({ index: 0, lexical: side, dense: side, fused: { rank: 1, score: expect.any(Number) } })
  expect(body.terms).toContainEqual({ forms: ['sauna'], use: 'should', weight: expect.any(Number), chunks: 6 - 1 })
  expect(body).not.toHaveProperty('rerank')
  const { body: found } = await ada.post('/v1/search', { query: 'heating the sauna' })
  expect(body.chunks[0].fused.score).toBeCloseTo(found.results[0].score, 5)
})

test.each([
  ['many.md', { query: 'heated sauna', top_k: 1, mode: 'lexical' }, 'below_cut_off'],
  ['sauna.md', { query: 'heated sauna', offset: 1 }, 'below_cut_off'],
  ['sauna.md', { query: 'zebra', mode: 'lexical' }, 'no_word_in_common'],
  ['sauna.md', { query: 'sauno caretakr' }, 'below_floor'],
  ['order.md', { query: '"force majeure"' }, 'phrase_missing'],
  ['many.md', { query: 'sauna -majeure' }, 'excluded_word'],
  ['tour.md', {}, 'example_left_out'],
  ['tour.md', { collection: 'youworker-examples' }, 'returned'],
])('%s was not returned to %o: %s', async (name, query, wanted) => {
  expect(await verdict(name, query)).toBe(wanted)
})

test.each([
  ['tags', { tags: ['metal'] }],
  ['collection', { collection: 'attic' }],
  ['mime', { mime: 'image/*' }],
  ['document_ids', { document_ids: ['0198c000-0000-7000-8000-000000000000'] }],
  ['ingested_after', { ingested_after: '2100-01-01T00:00:00.000Z' }],
  ['ingested_before', { ingested_before: '2000-01-01T00:00:00.000Z' }],
])('the filter %s is named', async (name, filter) => {
  const { body } = await explain('sauna.md', { tags: ['wood'], ...filter })
  expect([body.verdict, body.failed_filters]).toEqual(['filtered_out', [name]])
  expect(await verdict('sauna.md', { tags: ['wood'], collection: 'rooms', mime: 'text/*' })).toBe('returned')
})

test('of two passages with the same text one stands for the other', async () => {
  const both = await Promise.all(['sauna.md', 'copy.md'].map(async (name) => (await explain(name, { query: 'heated' })).body))
  expect(both.map((body) => body.verdict).toSorted()).toEqual(['folded_into_another', 'returned'])
  const [folded, shown] = both[0].verdict === 'returned' ? [both[1], both[0]] : both
  expect(folded.chunks[0].folded_into).toEqual({ document_id: shown.document_id, chunk_id: shown.chunks[0].chunk_id })
})

test('a deleted document is named as such while it can be restored, and is found again after that', async () => {
  const id = ids.get('gone.md')
  expect(await verdict('gone.md', {})).toBe('returned')
  await ada.call('DELETE', `/v1/documents/${id}`)
  expect((await explain('gone.md', {})).body).toMatchObject({ verdict: 'deleted', chunks: [] })
  await ada.post(`/v1/documents/${id}/restore`)
  expect(await verdict('gone.md', {})).toBe('returned')
})

test('spaces: another one was asked, or the user may not read it', async () => {
  await bob.post(`/v1/groups/${group_id}/members`, { username: 'ada' })
  await expect.poll(() => verdict('rowing.md', {}), { timeout: 6_000 }).toBe('returned')
  expect(await verdict('rowing.md', { space_id: ada.id })).toBe('space_not_asked')
  expect(await verdict('rowing.md', { group_id })).toBe('returned')
  expect((await explain('rowing.md', { space_id: bob.id })).body).toMatchObject(failure('GROUP_NOT_FOUND'))
  expect((await explain('sauna.md', {}, bob)).body).toMatchObject(failure('DOCUMENT_NOT_FOUND'))
  await bob.call('DELETE', `/v1/groups/${group_id}/members/${ada.id}`)
  await expect
    .poll(async () => (await explain('rowing.md', {})).body, { timeout: 1_000 })
    .toMatchObject(failure('DOCUMENT_NOT_FOUND'))
})

test('root asks as another user without reading a text; others are refused; both are audited', async () => {
  const { root } = system
  const asAda = await explain('sauna.md', { query: 'heated', as_user_id: ada.id }, root)
  expect(asAda.body.verdict).toMatch(/returned|folded/)
  expect(JSON.stringify(asAda.body)).not.toContain('caretaker')
  expect(await verdict('sauna.md', { as_user_id: bob.id }, root)).toBe('space_not_readable')
  expect((await explain('sauna.md', {}, root)).body).toMatchObject(failure('DOCUMENT_NOT_FOUND'))
  expect((await explain('sauna.md', { as_user_id: ada.id }, bob)).body).toMatchObject(failure('NOT_AUTHORIZED'))
  const audited = async () =>
    (await root.get('/v1/admin/audit?action=search.explain')).body.entries.map(
      ({ outcome, target_id }: { outcome: string; target_id: string }) => [outcome, target_id],
    )
  await expect.poll(audited, { timeout: 20_000 }).toEqual(
    expect.arrayContaining([
      ['allowed', ada.id],
      ['allowed', bob.id],
      ['denied', ada.id],
    ]),
  )
})
