import { afterAll, beforeAll, expect, test } from 'vitest'
import { canary } from './support/canaries.ts'
import { failure, type Person } from './support/person.ts'
import { startTestSystem, type TestSystem } from './support/system.ts'

let system: TestSystem
beforeAll(async () => {
  system = await startTestSystem()
}, 120_000)
afterAll(() => system?.[Symbol.asyncDispose]())

const QUESTION = 'What is the password of the harbour?'
const WITHIN = { timeout: 1_000, interval: 50 }

/** What a person gets of a document in each way, asked for the word that only it has. */
async function seenBy(person: Person, id: string, word: string) {
  const { body } = await person.post('/v1/search', { query: QUESTION })
  const content = await person.fetch(`/v1/documents/${id}/content`)
  return { found: JSON.stringify(body.results).includes(word), read: (await content.text()).includes(word) }
}
const cites = async (person: Person, id: string, word: string) => {
  const { done } = await person.chat(QUESTION)
  expect(done.content.includes(word)).toBe(done.citations.some(({ document_id }) => document_id === id))
  return done.citations.find(({ document_id }) => document_id === id)
}
const ALL = { found: true, read: true }
const NONE = { found: false, read: false }

test('a document is shared and taken back; who leaves the group loses it everywhere within a second', async () => {
  const [ada, ben] = [await system.newPerson('ada'), await system.newPerson('ben')]
  const word = canary('word')
  const group_id = (await ada.post('/v1/groups', { name: 'Harbour' })).body.id
  await ada.post(`/v1/groups/${group_id}/members`, { username: 'ben' })
  const content = `# Harbour\n\nThe password of the harbour is ${word}.\n`
  const id = (await ada.upload([{ name: 'harbour.md', content }])).body.files[0].document_id
  const change = (body: object, person = ada) => person.call('PATCH', `/v1/documents/${id}`, body)
  expect(await seenBy(ben, id, word)).toEqual(NONE)

  expect((await change({ group_id })).body).toMatchObject({ id, group_id, is_private: false })
  await expect.poll(() => seenBy(ben, id, word), { timeout: 6_000 }).toEqual(ALL)
  const citation = await cites(ben, id, word)
  // What a viewer needs to mark the passage.
  const { chunks } = (await ben.get(`/v1/documents/${id}/chunks`)).body
  const chunk = chunks.find((one: { id: string }) => one.id === citation?.chunk_id)
  expect([citation?.start, citation?.end]).toEqual([chunk.start, chunk.end])
  expect((await change({ title: 'x' }, ben)).body).toMatchObject(failure('NOT_GROUP_ADMIN'))

  expect((await change({ is_private: true })).status).toBe(200)
  await expect.poll(() => seenBy(ben, id, word), WITHIN).toEqual(NONE)
  expect(await seenBy(ada, id, word)).toEqual(ALL)
  expect(await cites(ben, id, word)).toBeUndefined()
  expect((await change({ is_private: false })).status).toBe(200)
  await expect.poll(() => seenBy(ben, id, word), { timeout: 6_000 }).toEqual(ALL)

  expect((await ben.call('DELETE', `/v1/groups/${group_id}/members/${ben.id}`)).status).toBe(204)
  await expect.poll(() => seenBy(ben, id, word), WITHIN).toEqual(NONE)
  expect(await cites(ben, id, word)).toBeUndefined()
  for (const path of [`documents/${id}`, `documents/${id}/chunks`, `documents/${id}/content`])
    expect((await ben.get(`/v1/${path}`)).body).toMatchObject(failure('DOCUMENT_NOT_FOUND'))
  expect(await seenBy(ada, id, word)).toEqual(ALL)
}, 90_000)

test('an answer and a download under way end within a second when their user is taken out of the group', async () => {
  await using slow = await startTestSystem({ tokensPerSecond: 8 })
  const [ada, ben] = [await slow.newPerson('ada'), await slow.newPerson('ben')]
  const group_id = (await ada.post('/v1/groups', { name: 'Harbour' })).body.id
  const join = () => ada.post(`/v1/groups/${group_id}/members`, { username: 'ben' })
  await join()
  const word = canary('word')
  const told = Array.from({ length: 40 }, (_, n) => `after step ${n} of the long way`).join(' ')
  const text = `<h1>Harbour</h1><p>The password of the harbour is told ${told} and it is ${word}.</p>`
  const content = `${text}<!-- ${'x'.repeat(12_000_000)} -->`
  const { body } = await ada.upload([{ name: 'harbour.html', content }], { wait: 'true', group_id })
  const id = body.files[0].document_id
  await expect.poll(() => ben.get(`/v1/documents/${id}`).then(({ status }) => status), { timeout: 6_000 }).toBe(200)

  const download = await ben.fetch(`/v1/documents/${id}/content`)
  const reader = download.body?.getReader()
  expect((await reader?.read())?.value?.length).toBeGreaterThan(0)
  const answered = ben.chat(QUESTION)
  const isTelling = async () => (await ben.get('/v1/tool-runs')).body.runs[0]?.status === 'success'
  await expect.poll(isTelling, { timeout: 30_000 }).toBe(true)
  expect((await ada.call('DELETE', `/v1/groups/${group_id}/members/${ben.id}`)).status).toBe(204)
  const removed = performance.now()

  const { done } = await answered
  // Within a second, beside what a busy machine adds: at 8 tokens a second the whole answer takes half a minute.
  expect(performance.now() - removed).toBeLessThan(2_000)
  expect(done).toMatchObject({ citations: [], metadata: { status: 'stopped', error: expect.stringContaining('taken away') } })
  expect(done.content).not.toContain(word)
  const rest = async () => {
    for (let got = 0; ;) {
      const part = await reader?.read()
      if (part === undefined || part.done) return got
      got += part.value.length
    }
  }
  await expect(rest()).rejects.toThrow()
  expect(await seenBy(ben, id, word)).toEqual(NONE)
}, 150_000)
