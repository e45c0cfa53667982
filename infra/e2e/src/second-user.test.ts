import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestSystem, type TestSystem } from './support/system.ts'
import { type Answer, type Person } from './support/person.ts'

const CANARY = 'the vault code is heliotrope 9981'
let system: TestSystem
let ada: Person
let eve: Person
let paths: Record<string, string>
let collected = ''

const keep = (answer: Answer): Answer => {
  collected += JSON.stringify(answer.body)
  return answer
}

beforeAll(async () => {
  system = await startTestSystem()
  ;[ada, eve] = [await system.newPerson('ada'), await system.newPerson('eve')]
  const labels = { wait: 'true', tags: '["vault"]', collection: 'vaults' }
  const upload = await ada.upload([{ name: 'secret.md', content: `# Secret\n\nListen: ${CANARY}.` }], labels)
  const group = await ada.post('/v1/groups', { name: 'Inner circle' })
  await ada.upload([{ name: 'shared.md', content: `# Shared\n\nAgain: ${CANARY}.` }], { wait: 'true', group_id: group.body.id })
  const { runId, sessionId, done } = await ada.chat('What is the vault code?', { cache: true })
  expect(done.content).toContain('heliotrope')
  const response = await ada.post('/v1/responses', { input: 'What is the vault code?' })
  expect(JSON.stringify(response.body.output)).toContain('heliotrope')
  const unknown = '01890000-0000-7000-8000-000000000000'
  paths = {
    run: runId,
    response: response.body.id,
    conversation: `conv_${sessionId}`,
    unknownconversation: `conv_${unknown}`,
    unknownresponse: `resp_${unknown}`,
    session: sessionId,
    external: done.metadata.session_external_id,
    document: upload.body.files[0].document_id,
    ingestion: upload.body.run_id,
    tag: (await ada.get('/v1/tags')).body.tags[0].id,
    collection: (await ada.get('/v1/collections')).body.collections[0].id,
    group: group.body.id,
    message: (await ada.get(`/v1/sessions/${sessionId}`)).body.messages[0].id,
    unknown,
  }
}, 120_000)
afterAll(() => system[Symbol.asyncDispose]())

/** Every route with an id, and the kind of id that it takes. */
const ROUTES: readonly [method: string, path: string, kind: string, body?: unknown][] = [
  ['GET', '/v1/documents/{}', 'document'],
  ['GET', '/v1/documents/{}/content', 'document'],
  ['GET', '/v1/documents/{}/preview', 'document'],
  ['GET', '/v1/documents/{}/timeline', 'document'],
  ['GET', '/v1/documents/{}/chunks', 'document'],
  ['PATCH', '/v1/documents/{}', 'document', { title: 'mine now' }],
  ['DELETE', '/v1/documents/{}', 'document'],
  ['DELETE', '/v1/documents/{}?purge=true', 'document'],
  ['POST', '/v1/documents/{}/restore', 'document'],
  ['PATCH', '/v1/tags/{}', 'tag', { name: 'mine now' }],
  ['POST', '/v1/tags/{}/merge', 'tag', { into: '01890000-0000-7000-8000-000000000001' }],
  ['DELETE', '/v1/tags/{}', 'tag'],
  ['DELETE', '/v1/collections/{}', 'collection'],
  ['GET', '/v1/ingestion-runs/{}', 'ingestion'],
  ['GET', '/v1/ingestion-runs/{}/events', 'ingestion'],
  ['POST', '/v1/ingestion-runs/{}/cancel', 'ingestion'],
  ['POST', '/v1/ingestion-runs/{}/retry', 'ingestion'],
  ['POST', '/v1/ingestion-runs/{}/pause', 'ingestion'],
  ['POST', '/v1/ingestion-runs/{}/resume', 'ingestion'],
  ['GET', '/v1/ingestion-runs/{}/timeline', 'ingestion'],
  ['DELETE', '/v1/ingestion-runs/{}', 'ingestion'],
  ['GET', '/v1/runs/{}', 'run'],
  ['GET', '/v1/runs/{}/events', 'run'],
  ['GET', '/v1/runs/{}/steps', 'run'],
  ['GET', '/v1/runs/{}/steps?include=content', 'run'],
  ['POST', '/v1/runs/{}/stop', 'run'],
  ['GET', '/v1/responses/{}', 'response'],
  ['GET', '/v1/responses/{}?stream=true', 'response'],
  ['GET', '/v1/responses/{}/input_items', 'response'],
  ['POST', '/v1/responses/{}/cancel', 'response'],
  ['DELETE', '/v1/responses/{}', 'response'],
  ['GET', '/v1/conversations/{}', 'conversation'],
  ['POST', '/v1/conversations/{}', 'conversation', { metadata: { whose: 'mine' } }],
  ['DELETE', '/v1/conversations/{}', 'conversation'],
  ['GET', '/v1/conversations/{}/items', 'conversation'],
  ['GET', '/v1/sessions/{}', 'session'],
  ['GET', '/v1/chat/sessions/{}', 'session'],
  ['GET', '/v1/sessions/{}/messages', 'session'],
  ['GET', '/v1/sessions/{}/branches', 'session'],
  ['POST', '/v1/sessions/{}/messages/01890000-0000-7000-8000-000000000000/retry', 'session', { stream: false }],
  ['PATCH', '/v1/sessions/{}', 'session', { title: 'mine now' }],
  ['DELETE', '/v1/sessions/{}', 'session'],
  ['DELETE', '/v1/sessions/{}?purge=true', 'session'],
  ['POST', '/v1/sessions/{}/restore', 'session'],
  ['POST', '/v1/sessions/{}/restore', 'external'],
  ['GET', '/v1/sessions/{}', 'external'],
  ['GET', '/v1/tasks/{}', 'run'],
  ['GET', '/v1/tasks/{}', 'ingestion'],
  ['POST', '/v1/tasks/{}/cancel', 'ingestion'],
  ['GET', '/v1/groups/{}', 'group'],
  ['PATCH', '/v1/groups/{}', 'group', { name: 'mine now' }],
  ['DELETE', '/v1/groups/{}', 'group'],
  ['DELETE', '/v1/groups/{}?purge=true', 'group'],
  ['POST', '/v1/groups/{}/restore', 'group'],
  ['GET', '/v1/collections/{}/access', 'collection'],
  ['GET', '/v1/collections/{}/access/01890000-0000-7000-8000-000000000001', 'collection'],
  ['PUT', '/v1/collections/{}/access/01890000-0000-7000-8000-000000000001', 'collection', { role: 'reader' }],
  ['DELETE', '/v1/collections/{}/access/01890000-0000-7000-8000-000000000001', 'collection'],
  ['GET', '/v1/groups/{}/policy', 'group'],
  ['PUT', '/v1/groups/{}/policy', 'group', { document_changes: 'members' }],
  ['GET', '/v1/groups/{}/members', 'group'],
  ['POST', '/v1/groups/{}/members', 'group', { username: 'eve' }],
]

const withoutCorrelation = ({ body }: Answer) => ({ ...body.error, correlation_id: undefined })

test.each(ROUTES)(
  '%s %s with the id of another user answers as for an id that does not exist',
  async (method, path, kind, body) => {
    const theirs = keep(await eve.call(method, path.replace('{}', paths[kind] ?? ''), body))
    const nobodys = await eve.call(method, path.replace('{}', paths[`unknown${kind}`] ?? paths['unknown'] ?? ''), body)
    expect(theirs.status).toBe(404)
    expect(withoutCorrelation(theirs)).toEqual(withoutCorrelation(nobodys))
  },
)

test('ids of another user in bodies and queries are not found', async () => {
  const going = keep(await eve.post('/v1/responses', { input: 'And now?', previous_response_id: paths['response'] }))
  expect([going.status, going.body.error.code]).toEqual([404, 'RUN_NOT_FOUND'])
  const joining = keep(await eve.post('/v1/responses', { input: 'And now?', conversation: paths['conversation'] }))
  expect([joining.status, joining.body.error.code]).toEqual([404, 'SESSION_NOT_FOUND'])
  const chat = keep(await eve.post('/v1/chat', { text_input: 'hi', session_id: paths['session'], stream: false }))
  expect([chat.status, chat.body.error.code]).toEqual([404, 'SESSION_NOT_FOUND'])
  const own = (await eve.post('/v1/sessions')).body.external_id
  const retried = keep(await eve.post(`/v1/sessions/${own}/messages/${paths['message']}/retry`, { stream: false }))
  expect([retried.status, retried.body.error.code]).toEqual([404, 'MESSAGE_NOT_FOUND'])
  for (const answer of [
    await eve.get(`/v1/sessions/${own}/messages?branch=${paths['session']}`),
    await eve.get(`/v1/sessions/${own}?branch=${paths['session']}`),
    await eve.call('PATCH', `/v1/sessions/${own}`, { active_branch: paths['session'] }),
  ])
    expect([keep(answer).status, answer.body.error.code]).toEqual([404, 'BRANCH_NOT_FOUND'])
  expect((await eve.call('DELETE', `/v1/sessions/${own}`)).status).toBe(204)
  const fay = await system.newPerson('fay')
  const own_document = (await fay.upload([{ name: 'own.md', content: '# Own\n\nMine.' }])).body.files[0].document_id
  for (const answer of [
    await eve.post('/v1/search', { query: 'vault code', group_id: paths['group'] }),
    await eve.upload([{ name: 'x.md', content: '# X\n\nx' }], { wait: 'true', group_id: paths['group'] ?? '' }),
    await eve.get(`/v1/documents?group_id=${paths['group']}`),
    await fay.call('PATCH', `/v1/documents/${own_document}`, { group_id: paths['group'] }),
    await eve.get(`/v1/analytics/ingestion-stats?group_id=${paths['group']}`),
  ]) {
    expect([keep(answer).status, answer.body.error.code]).toEqual([404, 'GROUP_NOT_FOUND'])
  }
})

test('lists, search and chat return nothing of another user', async () => {
  for (const path of [
    '/v1/documents',
    '/v1/documents?include_deleted=true',
    '/v1/erasures',
    '/v1/tags',
    '/v1/collections',
    '/v1/ingestion-runs',
    '/v1/sessions',
    '/v1/tool-runs',
    '/v1/tasks',
    '/v1/groups',
  ]) {
    const { body } = keep(await eve.get(path))
    expect(body.total ?? body.tasks?.length, path).toBe(0)
  }
  const { body } = keep(await eve.post('/v1/search', { query: 'what is the vault code' }))
  expect(body.results).toEqual([])
  for (const more of [{}, { cache: true }]) {
    const { done } = await eve.chat('What is the vault code?', more)
    expect(done.citations).toEqual([])
    collected += JSON.stringify(done)
  }
})

test('root cannot read the content of users', async () => {
  expect((await system.root.get(`/v1/documents/${paths['document']}`)).status).toBe(404)
  expect((await system.root.get(`/v1/sessions/${paths['session']}`)).status).toBe(404)
  expect((await system.root.get(`/v1/groups/${paths['group']}`)).status).toBe(404)
  expect((await system.root.post('/v1/search', { query: 'vault code' })).body.results).toEqual([])
  expect((await system.root.get(`/v1/analytics/dashboard?group_id=${paths['group']}`)).status).toBe(404)
})

test('no response contained the canary, and the owner’s data is unchanged', async () => {
  expect(collected).not.toContain('heliotrope')
  expect((await ada.get(`/v1/sessions/${paths['session']}`)).body.session.title).not.toBe('mine now')
  expect((await ada.get(`/v1/documents/${paths['document']}`)).status).toBe(200)
  expect((await ada.get(`/v1/groups/${paths['group']}`)).body).toMatchObject({ name: 'Inner circle', member_count: 1 })
})

test('a group member finds shared documents, until removed', async () => {
  const joined = await ada.post(`/v1/groups/${paths['group']}/members`, { username: 'eve' })
  expect(joined.status).toBe(201)
  const found = async () =>
    (await eve.post('/v1/search', { query: 'vault code heliotrope' })).body.results.map(({ title }: { title: string }) => title)
  await expect.poll(found, { timeout: 30_000 }).toEqual(['Shared'])
  expect((await ada.call('DELETE', `/v1/groups/${paths['group']}/members/${eve.id}`)).status).toBe(204)
  await expect.poll(found, { timeout: 30_000 }).toEqual([])
})
