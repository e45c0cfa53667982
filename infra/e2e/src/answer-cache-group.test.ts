import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Person } from './support/person.ts'
import { startTestSystem, type TestSystem } from './support/system.ts'

const QUESTION = 'What is the word of the lighthouse keeper?'
let system: TestSystem
beforeAll(async () => {
  system = await startTestSystem()
}, 120_000)
afterAll(() => system?.[Symbol.asyncDispose]())

const keeper = (word: string) => `# Keeper\n\nThe word of the lighthouse keeper is ${word}.\n`

/** `enable_tools: false`: an answer that depends on no documents. */
async function ask(person: Person, more: Record<string, unknown> = {}, text = QUESTION) {
  const { done } = await person.chat(text, { enable_tools: false, ...more })
  return { content: done.content, session_id: done.metadata.session_id, isCached: done.metadata.cached === true }
}
const isKept = async (...asked: Parameters<typeof ask>) => (await ask(...asked)).isCached

/** A group of two, and who is in neither it nor any other. */
async function crew(name: string) {
  const [head, bob, eve] = await Promise.all(
    ['head', 'bob', 'eve'].map((who) => system.newPerson(`${who}-${name.toLowerCase()}`)),
  )
  if (!head || !bob || !eve) throw new Error('nobody')
  const { id } = (await head.post('/v1/groups', { name })).body as { id: string }
  await head.post(`/v1/groups/${id}/members`, { user_id: bob.id })
  const change = (changes: object, by = head) => by.call('PATCH', `/v1/groups/${id}`, changes)
  return { head, bob, eve, id, change }
}

test('its admin has answers kept in sessions of a group, for each member alone; a request may refuse', async () => {
  const { head, bob, eve, id, change } = await crew('Harbour')
  expect((await head.get(`/v1/groups/${id}`)).body.cache_answers).toBe(false)
  expect([await isKept(bob, { group_id: id }), await isKept(bob, { group_id: id })]).toEqual([false, false])

  expect((await change({ cache_answers: true }, bob)).body).toMatchObject({ error: { code: 'NOT_GROUP_ADMIN' } })
  expect((await change({ cache_answers: true }, eve)).body).toMatchObject({ error: { code: 'GROUP_NOT_FOUND' } })
  for (const wrong of ['yes', null, 1])
    expect((await change({ cache_answers: wrong })).body).toMatchObject({ error: { code: 'VALIDATION_ERROR' } })
  expect((await change({ cache_answers: true })).body).toMatchObject({ id, cache_answers: true })
  expect((await bob.get(`/v1/groups/${id}`)).body.cache_answers).toBe(true)
  expect((await bob.get('/v1/groups')).body.groups).toMatchObject([{ id, cache_answers: true }])
  const audit = async () => {
    const { entries } = (await system.root.get(`/v1/admin/audit?action=group.update&target_id=${id}`)).body
    return entries.map(({ actor_id, outcome }: Record<string, string>) => `${actor_id} ${outcome}`).toSorted()
  }
  await expect.poll(audit, { timeout: 20_000 }).toEqual([`${head.id} allowed`, `${bob.id} denied`, `${eve.id} denied`].toSorted())

  // What was answered before it is not kept.
  const first = await ask(bob, { group_id: id })
  expect(first.isCached).toBe(false)
  expect(await ask(bob, { group_id: id })).toMatchObject({ isCached: true, content: first.content })
  expect(await isKept(bob, { group_id: id, cache: false })).toBe(false)
  expect(await isKept(bob, { group_id: id, cache: true })).toBe(true)
  expect([await isKept(bob), await isKept(bob)]).toEqual([false, false])
  expect([await isKept(head, { group_id: id }), await isKept(head, { group_id: id })]).toEqual([false, true])

  // Later questions say nothing of the group: their session has it.
  const [one, two] = [await ask(bob, { group_id: id }), await ask(bob, { group_id: id })]
  const more = 'Why is it so?'
  expect(await isKept(bob, { session_id: one.session_id }, more)).toBe(false)
  expect(await isKept(bob, { session_id: two.session_id, cache: false }, more)).toBe(false)
  const three = await ask(bob, { group_id: id })
  expect(await isKept(bob, { session_id: three.session_id }, more)).toBe(true)

  expect((await change({ cache_answers: false })).status).toBe(200)
  expect([await isKept(bob, { group_id: id }), await isKept(bob, { group_id: id, cache: true })]).toEqual([false, true])
}, 60_000)

test('a group is made with it; other instructions make another question, and a variable none that is kept', async () => {
  const { head, bob } = await crew('Pier')
  const { id, cache_answers } = (await head.post('/v1/groups', { name: 'Lamp', cache_answers: true })).body
  expect(cache_answers).toBe(true)
  await head.post(`/v1/groups/${id}/members`, { user_id: bob.id })
  const twice = async () => [await isKept(bob, { group_id: id }), await isKept(bob, { group_id: id })]
  expect(await twice()).toEqual([false, true])
  const change = (instructions: string | null) => head.call('PATCH', `/v1/groups/${id}`, { instructions })
  await change('Be brief.')
  expect(await twice()).toEqual([false, true])
  await change('Be brief, {{user}}.')
  expect(await twice()).toEqual([false, false])
  await change(null)
  expect(await twice()).toEqual([true, true])
}, 60_000)

test('what changes in documents and rights counts; other groups and former members get nothing', async () => {
  const { head, bob, eve, id, change } = await crew('Reef')
  const other = (await eve.post('/v1/groups', { name: 'Others' })).body.id as string
  await change({ cache_answers: true })
  const shelve = (word: string, name: string) => head.upload([{ name, content: keeper(word) }], { wait: 'true', group_id: id })
  await shelve('velvet', 'one.md')
  const asked = { group_id: id, enable_tools: true }
  // After a change of rights none is kept for some seconds.
  const untilKept = () => expect.poll(() => isKept(bob, asked), { timeout: 30_000 }).toBe(true)
  await untilKept()
  expect((await ask(bob, asked)).content).toContain('velvet')
  expect(await isKept(eve, { group_id: other, enable_tools: true })).toBe(false)
  expect(await ask(eve, { group_id: other, enable_tools: true })).toMatchObject({ isCached: false })

  await shelve('saffron', 'two.md')
  const both = await ask(bob, asked)
  expect([both.isCached, both.content.includes('saffron')]).toEqual([false, true])
  await untilKept()

  expect((await head.call('DELETE', `/v1/groups/${id}/members/${bob.id}`)).status).toBe(204)
  expect((await bob.post('/v1/chat', { text_input: QUESTION, ...asked })).body).toMatchObject({
    error: { code: 'GROUP_NOT_FOUND' },
  })
  const session = { session_id: both.session_id, enable_tools: true }
  await expect.poll(async () => (await ask(bob, session)).content, { timeout: 10_000 }).not.toMatch(/velvet|saffron/)
  expect(await isKept(bob, session)).toBe(false)
}, 90_000)
