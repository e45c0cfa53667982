import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { waitFor } from '@youworker/test-kit/wait-for'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { canary } from './support/canaries.ts'
import { failure, type Person } from './support/person.ts'
import { startTestSystem, type TestSystem } from './support/system.ts'

let system: TestSystem
let database: pg.Client

beforeAll(async () => {
  system = await startTestSystem()
  database = new pg.Client({ connectionString: system.running.adminUrl })
  await database.connect()
}, 120_000)
afterAll(async () => {
  await database?.end()
  await system?.[Symbol.asyncDispose]()
})

const QUESTION = 'What is the password of the harbour?'
const note = (word: string) => `# Harbour\n\nThe password of the harbour is ${word}.\n`
const receipts = async (person: Person, id: string) => (await person.get(`/v1/erasures?target_id=${id}`)).body.erasures

/** Whether a word is in the text of any document, deleted or not, or in a file of the search index. */
async function isStored(word: string): Promise<boolean> {
  const { rowCount } = await database.query('select from ingestion.chunks where strpos(text, $1) > 0', [word])
  const dir = system.running.indexDir
  const files = await Promise.all((await readdir(dir)).map((name) => readFile(join(dir, name)).catch(() => Buffer.alloc(0))))
  return (rowCount ?? 0) > 0 || files.some((bytes) => bytes.includes(word))
}

test('a deleted document is gone from search, lists, chat and content at once, and restored it is in all of them again', async () => {
  const ada = await system.newPerson('ada')
  const word = canary('word')
  const id = (await ada.upload([{ name: 'harbour.md', content: note(word) }])).body.files[0].document_id
  const isSeen = async () => {
    const found = JSON.stringify((await ada.post('/v1/search', { query: QUESTION })).body.results).includes(word)
    const { done } = await ada.chat(QUESTION, { cache: true })
    const told = done.content.includes(word)
    expect(done.citations.some(({ document_id }) => document_id === id)).toBe(told)
    const listed = (await ada.get('/v1/documents')).body.total === 1
    const read = (await ada.fetch(`/v1/documents/${id}/content`)).status === 200
    return { found, told, listed, read }
  }
  expect(await isSeen()).toEqual({ found: true, told: true, listed: true, read: true })
  expect((await ada.call('DELETE', `/v1/documents/${id}`)).status).toBe(204)
  expect(await isSeen()).toEqual({ found: false, told: false, listed: false, read: false })
  await waitFor(async () => (await ada.get('/v1/analytics/overview')).body.documents.total === 0, { what: 'the analytics' })
  const [deleted] = (await ada.get('/v1/documents?include_deleted=true')).body.documents
  expect(deleted).toMatchObject({ id, deleted_at: expect.any(String), restorable_until: expect.any(String) })
  expect((await ada.post(`/v1/documents/${id}/restore`)).body).toMatchObject({ id, path: 'harbour.md' })
  expect(await isSeen()).toMatchObject({ found: true, listed: true, read: true })
  // The event that makes the kept answer stale may still be on its way.
  await waitFor(async () => (await isSeen()).told, { what: 'the document in an answer' })
  await waitFor(async () => (await ada.get('/v1/analytics/overview')).body.documents.total === 1, { what: 'the analytics' })
}, 60_000)

test('purge erases at once, and what was deleted is erased when its time is over; receipts tell both', async () => {
  const ben = await system.newPerson('ben')
  const [purged, expired] = [canary('purged'), canary('expired')]
  const { files } = (
    await ben.upload([
      { name: 'purged.md', content: note(purged) },
      { name: 'expired.md', content: note(expired) },
    ])
  ).body
  const [first, second] = files.map(({ document_id }: { document_id: string }) => document_id)
  expect((await ben.call('DELETE', `/v1/documents/${first}?purge=maybe`)).body).toMatchObject(failure('VALIDATION_ERROR'))
  expect((await ben.call('DELETE', `/v1/documents/${first}`)).status).toBe(204)
  expect(await isStored(purged)).toBe(true)
  expect((await ben.call('DELETE', `/v1/documents/${first}?purge=true`)).status).toBe(204)
  expect(await isStored(purged)).toBe(false)
  await waitFor(async () => (await receipts(ben, first))[0]?.verified_at, { what: 'the verification' })
  expect(await receipts(ben, first)).toMatchObject([
    { kind: 'document', reason: 'purge', removed: expect.arrayContaining([{ where: 'chunks', count: 1 }]) },
  ])
  expect((await ben.post(`/v1/documents/${first}/restore`)).body).toMatchObject(failure('DOCUMENT_NOT_FOUND'))

  expect((await ben.call('DELETE', `/v1/documents/${second}`)).status).toBe(204)
  await database.query(`update ingestion.documents set erase_after = now() where id = $1`, [second])
  await waitFor(async () => (await receipts(ben, second))[0]?.verified_at, { what: 'the erasure', timeoutMs: 90_000 })
  expect(await isStored(expired)).toBe(false)
  expect(await receipts(ben, second)).toMatchObject([{ reason: 'expired', target_id: second }])
  expect((await ben.get('/v1/documents?include_deleted=true')).body.total).toBe(0)
  expect((await (await system.newPerson('eve')).get('/v1/erasures')).body).toMatchObject({ erasures: [], total: 0 })
}, 120_000)

test('a deleted session is gone with its runs, and comes back with its messages; an answer under way ends', async () => {
  const cid = await system.newPerson('cid')
  const word = canary('said')
  const { sessionId: id, runId, done } = await cid.chat(`Remember ${word}.`, { enable_tools: false })
  const name = done.metadata.session_external_id
  const before = (await cid.get(`/v1/sessions/${id}`)).body
  const tasks = async () => (await cid.get('/v1/tasks')).body.total
  expect([before.messages.length, await tasks()]).toEqual([2, 1])
  expect((await cid.call('DELETE', `/v1/sessions/${id}`)).status).toBe(204)
  for (const path of [`sessions/${id}`, `sessions/${name}`, `sessions/${id}/messages`, `sessions/${id}/branches`])
    expect((await cid.get(`/v1/${path}`)).body).toMatchObject(failure('SESSION_NOT_FOUND'))
  for (const path of [`runs/${runId}`, `runs/${runId}/events`, `runs/${runId}/steps`])
    expect((await cid.get(`/v1/${path}`)).body).toMatchObject(failure('RUN_NOT_FOUND'))
  expect((await cid.post('/v1/chat', { text_input: 'And?', session_id: id })).body).toMatchObject(failure('SESSION_NOT_FOUND'))
  for (const list of ['sessions', 'tool-runs', 'tasks']) expect((await cid.get(`/v1/${list}`)).body.total, list).toBe(0)
  await waitFor(async () => (await cid.get('/v1/analytics/overview')).body.sessions.total === 0, { what: 'the analytics' })
  const [deleted] = (await cid.get('/v1/sessions?include_deleted=true')).body.sessions
  expect(deleted).toEqual({ ...before.session, deleted_at: expect.any(String), restorable_until: expect.any(String) })

  expect((await cid.post(`/v1/sessions/${name}/restore`)).body).toMatchObject({ id, external_id: name })
  expect((await cid.get(`/v1/sessions/${id}`)).body).toEqual(before)
  expect((await cid.get(`/v1/runs/${runId}/steps`)).status).toBe(200)
  const next = await cid.chat('And now?', { session_id: id, enable_tools: false })
  expect(next.sessionId).toBe(id)
  await waitFor(async () => (await cid.get('/v1/analytics/overview')).body.sessions.total === 1, { what: 'the analytics' })

  const again = (await cid.post('/v1/sessions', { external_id: 'diary' })).body.external_id
  await cid.call('DELETE', `/v1/sessions/${again}`)
  await cid.post('/v1/sessions', { external_id: 'diary' })
  expect((await cid.post('/v1/sessions/diary/restore')).body).toMatchObject(failure('CONFLICT'))

  await cid.call('DELETE', `/v1/sessions/${id}`)
  await database.query(`update chat_agent.sessions set erase_after = now() where id = $1`, [id])
  await waitFor(async () => (await receipts(cid, id))[0]?.verified_at, { what: 'the erasure', timeoutMs: 90_000 })
  const [{ removed }] = await receipts(cid, id)
  expect(removed).toEqual(expect.arrayContaining([{ where: 'messages', count: 4 }]))
  for (const table of ['messages', 'runs', 'run_entries', 'model_steps', 'jobs']) {
    const { rowCount } = await database.query(`select from chat_agent.${table} t where strpos(t::text, $1) > 0`, [id])
    expect([table, rowCount]).toEqual([table, 0])
  }
}, 120_000)

test('a session that is deleted in the middle of an answer ends it, and restored has what was said by then', async () => {
  await using slow = await startTestSystem({ tokensPerSecond: 5 })
  const dan = await slow.newPerson('dan')
  await dan.upload([{ name: 'long.md', content: note('a word that is followed by a long explanation of how it came to be one') }])
  const { external_id } = (await dan.post('/v1/sessions', { external_id: 'long' })).body
  const answered = dan.chat(QUESTION, { session_id: external_id })
  const running = async () => (await dan.get('/v1/tasks')).body.tasks[0]?.state === 'running'
  await waitFor(running, { what: 'the answer' })
  expect((await dan.call('DELETE', '/v1/sessions/long')).status).toBe(204)
  expect((await answered).done.metadata.status).toBe('stopped')
  expect((await dan.get('/v1/sessions')).body.total).toBe(0)
  expect((await dan.post('/v1/sessions/long/restore')).status).toBe(200)
  const { messages } = (await dan.get('/v1/sessions/long')).body
  expect(messages[0]).toMatchObject({ role: 'user', content: QUESTION })
  expect((await dan.chat('And now?', { session_id: 'long', enable_tools: false })).done.metadata.status).toBe('success')
}, 120_000)

test('a deleted group is gone for all members with its documents, and comes back for all; purge erases both', async () => {
  const [ada, ben, eve] = [await system.newPerson('gina'), await system.newPerson('hugo'), await system.newPerson('ivan')]
  const word = canary('shared')
  const group_id = (await ada.post('/v1/groups', { name: 'Harbour' })).body.id
  await ada.post(`/v1/groups/${group_id}/members`, { username: 'hugo' })
  const id = (await ada.upload([{ name: 'shared.md', content: note(word) }], { wait: 'true', group_id })).body.files[0]
    .document_id
  const seenBy = async (person: Person) => ({
    found: JSON.stringify((await person.post('/v1/search', { query: QUESTION })).body.results).includes(word),
    read: (await person.get(`/v1/documents/${id}`)).status === 200,
    group: (await person.get(`/v1/groups/${group_id}`)).status === 200,
    listed: (await person.get('/v1/groups')).body.total,
  })
  const all = { found: true, read: true, group: true, listed: 1 }
  await waitFor(async () => (await seenBy(ben)).found, { what: 'the document' })
  expect(await seenBy(ben)).toEqual(all)
  expect((await ben.call('DELETE', `/v1/groups/${group_id}`)).body).toMatchObject(failure('NOT_GROUP_ADMIN'))
  expect((await ada.call('DELETE', `/v1/groups/${group_id}`)).status).toBe(204)
  const none = { found: false, read: false, group: false, listed: 0 }
  for (const person of [ada, ben]) {
    await expect.poll(() => seenBy(person), { timeout: 5_000 }).toEqual(none)
    expect((await person.get(`/v1/documents?group_id=${group_id}`)).body).toMatchObject(failure('GROUP_NOT_FOUND'))
  }
  expect((await ada.get('/v1/groups?include_deleted=true')).body).toMatchObject({
    total: 1,
    groups: [{ id: group_id, name: 'Harbour' }],
  })
  expect((await ada.get('/v1/groups?include_deleted=true')).body.groups[0]).toHaveProperty('restorable_until')
  for (const person of [ben, eve]) {
    expect((await person.get('/v1/groups?include_deleted=true')).body.total).toBe(0)
    const refused = (await person.post(`/v1/groups/${group_id}/restore`)).body
    expect(refused).toMatchObject(failure(person === ben ? 'NOT_GROUP_ADMIN' : 'GROUP_NOT_FOUND'))
  }
  const other = (await ada.post('/v1/groups', { name: 'harbour' })).body.id
  expect((await ada.post(`/v1/groups/${group_id}/restore`)).body).toMatchObject(failure('GROUP_NAME_EXISTS'))
  await ada.call('DELETE', `/v1/groups/${other}?purge=true`)
  expect((await ada.post(`/v1/groups/${group_id}/restore`)).body).toMatchObject({ id: group_id, member_count: 2, role: 'admin' })
  for (const person of [ada, ben]) await expect.poll(() => seenBy(person), { timeout: 10_000 }).toEqual(all)

  await ada.call('DELETE', `/v1/groups/${group_id}`)
  expect((await ada.call('DELETE', `/v1/groups/${group_id}?purge=true`)).status).toBe(204)
  const verified = async () =>
    (await receipts(ada, group_id)).filter((one: { verified_at: string | null }) => one.verified_at).length
  await waitFor(async () => (await verified()) === 2, { what: 'two verified receipts', timeoutMs: 90_000 })
  expect(await isStored(word)).toBe(false)
  expect((await ada.post(`/v1/groups/${group_id}/restore`)).body).toMatchObject(failure('GROUP_NOT_FOUND'))
  expect(await receipts(eve, group_id)).toEqual([])
}, 150_000)
