import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestSystem, type TestSystem } from './support/system.ts'
import { failure, type Person } from './support/person.ts'

let system: TestSystem
let ada: Person
let bob: Person
let eve: Person

beforeAll(async () => {
  system = await startTestSystem()
  ;[ada, bob, eve] = [await system.newPerson('ada'), await system.newPerson('bob'), await system.newPerson('eve')]
}, 120_000)
afterAll(() => system[Symbol.asyncDispose]())

const newGroup = async (name: string) => {
  const { status, body } = await ada.post('/v1/groups', { name, description: 'Überblick 日本 🙂' })
  expect(status).toBe(201)
  return body.id as string
}

test('a group is created, joined, renamed, passed on and deleted', async () => {
  const id = await newGroup('Research')
  expect((await ada.get('/v1/groups')).body).toMatchObject({
    total: 1,
    limit: 50,
    offset: 0,
    groups: [{ id, name: 'Research', description: 'Überblick 日本 🙂', role: 'admin', member_count: 1 }],
  })
  expect((await ada.get('/v1/groups/me')).body).toEqual([expect.objectContaining({ id })])
  const joined = await ada.post(`/v1/groups/${id}/members`, { user_id: bob.id })
  expect([joined.status, joined.body]).toEqual([
    201,
    expect.objectContaining({ user_id: bob.id, username: 'bob', role: 'member' }),
  ])
  expect((await bob.get(`/v1/groups/${id}`)).body).toMatchObject({
    role: 'member',
    member_count: 2,
    members: [expect.any(Object), expect.any(Object)],
  })
  expect((await bob.get(`/v1/groups/${id}/members`)).body).toHaveLength(2)
  expect((await bob.get('/v1/auth/me')).body.groups).toEqual([expect.objectContaining({ id })])

  expect((await bob.call('PATCH', `/v1/groups/${id}`, { name: 'Bobs' })).body).toMatchObject(failure('NOT_GROUP_ADMIN'))
  expect((await bob.call('DELETE', `/v1/groups/${id}`)).status).toBe(403)
  expect((await ada.call('PUT', `/v1/groups/${id}`, { name: 'Research & more' })).body).toMatchObject({ name: 'Research & more' })

  for (const [method, role] of [
    ['POST', 'admin'],
    ['PUT', 'member'],
    ['PATCH', 'admin'],
  ] as const) {
    expect((await ada.call(method, `/v1/groups/${id}/members/${bob.id}`, { role })).body).toMatchObject({ user_id: bob.id, role })
  }
  expect((await ada.call('DELETE', `/v1/groups/${id}/members/${ada.id}`)).status).toBe(204)
  expect((await ada.get(`/v1/groups/${id}`)).body).toMatchObject(failure('GROUP_NOT_FOUND'))
  expect((await bob.call('DELETE', `/v1/groups/${id}`)).status).toBe(204)
  expect((await bob.get('/v1/groups')).body.total).toBe(0)
})

test('invalid group requests get the published error codes', async () => {
  const id = await newGroup('Errors')
  const member = (body: unknown) => ada.post(`/v1/groups/${id}/members`, body)
  expect((await ada.post('/v1/groups', { name: ' errors ' })).body).toMatchObject(failure('GROUP_NAME_EXISTS'))
  expect((await ada.post('/v1/groups', { name: 'x'.repeat(129) })).body).toMatchObject(failure('VALIDATION_ERROR'))
  expect((await member({ username: 'nobody-of-that-name' })).body).toMatchObject(failure('USER_NOT_FOUND'))
  expect((await member({ username: 'bob', role: 'emperor' })).body).toMatchObject(failure('INVALID_ROLE'))
  expect((await member({ username: 'bob' })).status).toBe(201)
  const again = await member({ username: 'bob' })
  expect(again.status).toBe(400)
  expect(again.body).toMatchObject(failure('MEMBERSHIP_EXISTS'))
  expect((await ada.call('PATCH', `/v1/groups/${id}/members/${ada.id}`, { role: 'member' })).body).toMatchObject(
    failure('LAST_ADMIN'),
  )
  expect((await ada.call('DELETE', `/v1/groups/${id}/members/${ada.id}`)).body).toMatchObject(failure('LAST_ADMIN'))
  expect((await ada.call('DELETE', `/v1/groups/${id}/members/${eve.id}`)).body).toMatchObject(failure('MEMBERSHIP_NOT_FOUND'))
})

test('simultaneous demotions leave one admin', async () => {
  const id = await newGroup('Race')
  await ada.post(`/v1/groups/${id}/members`, { username: 'bob', role: 'admin' })
  const demote = (who: Person, whom: Person) => who.call('PATCH', `/v1/groups/${id}/members/${whom.id}`, { role: 'member' })
  const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => (i % 2 ? demote(ada, ada) : demote(bob, bob))))
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
  const { body } = await ada.get(`/v1/groups/${id}/members`)
  expect(body.filter(({ role }: { role: string }) => role === 'admin')).toHaveLength(1)
})

test('a repeat with the same idempotency key creates no second group', async () => {
  const make = () => ada.post('/v1/groups', { name: 'Once' }, { 'idempotency-key': 'once-1' })
  const [first, second] = [await make(), await make()]
  expect(second.body.id).toBe(first.body.id)
  expect((await ada.post('/v1/groups', { name: 'Twice' }, { 'idempotency-key': 'once-1' })).body).toMatchObject(
    failure('IDEMPOTENCY_MISMATCH'),
  )
})
