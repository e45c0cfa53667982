import { type OpenAI, toFile } from 'openai'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { failure, Person } from './support/person.ts'
import { type ProtocolSystem, QUESTION, startProtocolSystem } from './support/protocol-system.ts'
import { agent, clientOf, type Event, numbersOf, raw, type Response, shapeOf } from './support/responses.ts'

let protocol: ProtocolSystem
let ada: Person
let client: OpenAI
let store: string
let fileId: string
beforeAll(async () => {
  const search = { name: 'knowledge_search', arguments: { query: 'How many countries does the Danube cross?' } }
  protocol = await startProtocolSystem([
    { match: { contains: 'Say and search', last_role: 'user' }, reply: { text: 'I will look. ', tool_calls: [search] } },
    { match: { contains: 'Say and search' }, reply: { text: 'It is in the file. [1]' } },
    { match: { contains: 'Search twice', last_role: 'user' }, reply: { thinking: 'Where?', tool_calls: [search, search] } },
    { match: { contains: 'Search twice' }, reply: { thinking: 'There.', text: 'Found. [1]' } },
  ])
  ada = protocol.ada
  client = clientOf(ada, { maxRetries: 0 })
  store = (await client.vectorStores.create({ name: 'Atlas' })).id
  fileId = await attach('danube.md', '# Danube\n\nThe Danube flows through eleven countries, says the atlas.\n', { edition: 2 })
  await attach('rhine.md', '# Rhine\n\nThe Rhine flows through six countries, says the atlas.\n', { edition: 1 })
}, 120_000)
afterAll(() => protocol?.[Symbol.asyncDispose]())

async function attach(name: string, text: string, attributes: Record<string, number>) {
  const { id } = await client.files.create({ file: await toFile(Buffer.from(text), name), purpose: 'assistants' })
  await client.vectorStores.files.createAndPoll(store, { file_id: id, attributes }, { pollIntervalMs: 100 })
  return id
}
const tool = (more: object = {}): OpenAI.Responses.FileSearchTool => ({ type: 'file_search', vector_store_ids: [store], ...more })
const include = ['file_search_call.results'] as ['file_search_call.results']
const searchOf = ({ output }: Response) => output.find((item) => item.type === 'file_search_call')
const annotationsOf = ({ output }: Response) =>
  output.flatMap((item) =>
    item.type === 'message' ? item.content.flatMap((part) => (part.type === 'output_text' ? part.annotations : [])) : [],
  )
const endOf = (events: readonly Event[]): Response => {
  const last = events.at(-1)
  if (last?.type === 'response.completed' || last?.type === 'response.incomplete') return last.response
  throw new Error(`ended with ${last?.type}`)
}
const kinds = ({ output }: Response) => output.map(({ type }) => type)

test.each([agent, raw])('$model answers from the files of the named stores and from no others', async ({ model }) => {
  const answer = await client.responses.create({ model, input: QUESTION, tools: [tool()], include })
  expect(answer.status).toBe('completed')
  // Without the tool the agent answers from all documents, where it is ten.
  expect(answer.output_text).toContain('eleven countries')
  expect(answer.output_text).not.toContain('ten countries')
  expect(kinds(answer)).toEqual(['file_search_call', 'message'])
  const search = searchOf(answer)
  expect(search).toMatchObject({ type: 'file_search_call', status: 'completed', queries: [QUESTION] })
  expect(search?.id).toMatch(/^fs_/)
  expect(search?.results?.[0]).toMatchObject({ file_id: fileId, filename: 'danube.md', attributes: { edition: 2 } })
  expect(search?.results?.[0]?.text).toContain('eleven countries')
  const [annotation] = annotationsOf(answer)
  expect(annotation).toMatchObject({ type: 'file_citation', file_id: fileId, filename: 'danube.md' })
  expect((await client.files.retrieve(fileId)).filename).toBe('danube.md')
  expect(answer.tools).toEqual([expect.objectContaining({ type: 'file_search', vector_store_ids: [store] })])
  expect(await client.responses.retrieve(answer.id)).toEqual(answer)
})

test('results are told on request only; filters, how many and the least score narrow them', async () => {
  const ask = async (more: object, wanted = include) =>
    searchOf(await client.responses.create({ ...agent, input: QUESTION, tools: [tool(more)], include: wanted }))?.results
  expect(searchOf(await client.responses.create({ ...agent, input: QUESTION, tools: [tool()] }))?.results).toBeNull()
  expect(await ask({})).toHaveLength(2)
  expect(await ask({ max_num_results: 1 })).toHaveLength(1)
  expect((await ask({ filters: { type: 'eq', key: 'edition', value: 1 } }))?.map(({ filename }) => filename)).toEqual([
    'rhine.md',
  ])
  expect(await ask({ filters: { type: 'eq', key: 'edition', value: 9 } })).toEqual([])
  expect(await ask({ ranking_options: { ranker: 'auto', score_threshold: 1 } })).not.toHaveLength(2)
})

test('a stream tells the search as it goes on, and is the same from any of its events on', async () => {
  const asked = { ...agent, input: QUESTION, tools: [tool()], include }
  const events = await Array.fromAsync(await client.responses.create({ ...asked, stream: true }))
  expect(numbersOf(events)).toEqual(events.map((_, n) => n))
  expect(shapeOf(events)).toEqual([
    'response.created',
    'response.in_progress',
    'response.output_item.added',
    'response.file_search_call.in_progress',
    'response.file_search_call.searching',
    'response.file_search_call.completed',
    'response.output_item.done',
    'response.output_item.added',
    'response.content_part.added',
    'response.output_text.delta',
    'response.output_text.annotation.added',
    'response.output_text.done',
    'response.content_part.done',
    'response.output_item.done',
    'response.completed',
  ])
  const end = endOf(events)
  expect(searchOf(end)?.results).toHaveLength(2)
  const done = events.flatMap((event) => (event.type === 'response.output_item.done' ? [event.item] : []))
  expect(done).toEqual(end.output)
  expect(await Array.fromAsync(await client.responses.retrieve(end.id, { stream: true }))).toEqual(events)
  for (const starting_after of [2, 4, 6])
    expect(await Array.fromAsync(await client.responses.retrieve(end.id, { stream: true, starting_after }))).toEqual(
      events.slice(starting_after + 1),
    )
})

test('searches stand among thoughts and text in the order in which they began', async () => {
  const streamed = async (input: string) => {
    const asked = { ...agent, input, tools: [tool()], reasoning: { summary: 'auto' as const } }
    const events = await Array.fromAsync(await client.responses.create({ ...asked, stream: true }))
    const added = events.flatMap((event) =>
      event.type === 'response.output_item.added' ? [[event.output_index, event.item.type]] : [],
    )
    const end = endOf(events)
    expect(added).toEqual(end.output.map(({ type }, index) => [index, type]))
    expect((await client.responses.retrieve(end.id)).output).toEqual(end.output)
    return kinds(end)
  }
  expect(await streamed('Say and search')).toEqual(['message', 'file_search_call'])
  expect(await streamed('Search twice')).toEqual(['reasoning', 'file_search_call', 'file_search_call', 'reasoning', 'message'])
})

test('a conversation goes on with the items of a search, and its choice is kept', async () => {
  const first = await client.responses.create({ ...agent, input: QUESTION, tools: [tool()] })
  const input = [...first.output, { role: 'user' as const, content: 'And the Rhine?' }]
  const second = await client.responses.create({ ...agent, input: input as OpenAI.Responses.ResponseInput, tools: [tool()] })
  expect(second.output_text).toContain('six countries')
  const conversation = await client.conversations.create()
  const third = await client.responses.create({ ...agent, input: QUESTION, tools: [tool()], conversation: conversation.id })
  const items = await client.conversations.items.list(conversation.id, { order: 'asc' })
  expect(items.data.map(({ type }) => type)).toEqual(['message', ...kinds(third)])
  const none = await client.responses.create({ ...agent, input: QUESTION, tools: [tool()], tool_choice: 'none' })
  expect(kinds(none)).toEqual(['message'])
  const must = await client.responses.create({ ...raw, input: QUESTION, tools: [tool()], tool_choice: { type: 'file_search' } })
  expect(kinds(must)).toEqual(['file_search_call', 'message'])
})

test('a store that is not there, is of others or is deleted is 404, and a key without documents may not search', async () => {
  const eve = await protocol.system.newPerson('eve')
  const ask = (by: Person, id: string, more: object = {}) =>
    by.post('/v1/responses', { ...agent, input: QUESTION, tools: [{ type: 'file_search', vector_store_ids: [id], ...more }] })
  expect(await ask(eve, store)).toMatchObject({ status: 404, body: failure('COLLECTION_NOT_FOUND') })
  expect((await ask(eve, `vs_${eve.id}`)).body.error.message).toBe((await ask(eve, store)).body.error.message)
  expect((await eve.get('/v1/sessions')).body.total).toBe(0)
  expect((await ask(ada, 'vs_x')).status).toBe(404)
  expect(await ask(ada, store, { max_num_results: 51 })).toMatchObject({ status: 400, body: failure('VALIDATION_ERROR') })
  expect(await ask(ada, store, { filters: { type: 'eq' } })).toMatchObject({ status: 400 })
  const made = await ada.post('/v1/account/api-keys', { name: 'chat', scopes: ['chat'] })
  expect((await ask(new Person(ada.api, ada.id, made.body.api_key), store)).status).toBe(403)
  const brief = await client.vectorStores.create({ name: 'Brief', file_ids: [fileId] })
  await client.vectorStores.delete(brief.id)
  expect((await ask(ada, brief.id)).status).toBe(404)
  expect(await ask(ada, store)).toMatchObject({ status: 200 })
})
