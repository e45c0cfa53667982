import { sql } from 'kysely'
import { newId } from '@youworker/runtime/id'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { as, openTestGroup, type TestGroup } from '../test-fixture.ts'

let fixture: TestGroup
beforeAll(async () => void (fixture = await openTestGroup()))
afterAll(() => fixture[Symbol.asyncDispose]())

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'ok',
    (error: { code: string }) => error.code,
  )
const page = { limit: 50, offset: 0 }

test('the creator of a group is its admin; other users get GROUP_NOT_FOUND from every request', async () => {
  const [ada, bob] = [fixture.users.add('ada'), fixture.users.add('bob')]
  const made = await fixture.groups.create({ name: 'Büro 🏢', description: 'Alles' }, as(ada))
  expect(made).toMatchObject({ name: 'Büro 🏢', description: 'Alles', member_count: 1, role: 'admin' })
  const seen = { ...made, members: (await fixture.members.list(made.id, page, as(ada))).members }
  expect(await fixture.groups.get(made.id, as(ada))).toEqual(seen)
  expect(seen.members).toMatchObject([{ user_id: ada, username: 'ada', role: 'admin' }])
  expect(await fixture.groups.list(page, as(ada))).toEqual({ groups: [made], total: 1 })
  expect(await fixture.groups.spaces(as(ada))).toEqual([ada, made.id])

  const stranger = as(bob)
  for (const id of [made.id, newId()]) {
    expect(await codeOf(fixture.groups.get(id, stranger))).toBe('GROUP_NOT_FOUND')
    expect(await codeOf(fixture.groups.update(id, { name: 'Mine' }, stranger))).toBe('GROUP_NOT_FOUND')
    expect(await codeOf(fixture.deletion.delete({ group_id: id, purge: true }, stranger))).toBe('GROUP_NOT_FOUND')
    expect(await codeOf(fixture.members.list(id, page, stranger))).toBe('GROUP_NOT_FOUND')
    expect(await codeOf(fixture.members.add(id, { user_id: bob, role: 'nonsense' }, stranger))).toBe('GROUP_NOT_FOUND')
    expect(await codeOf(fixture.members.setRole(id, bob, 'admin', stranger))).toBe('GROUP_NOT_FOUND')
    expect(await codeOf(fixture.members.remove(id, bob, stranger))).toBe('GROUP_NOT_FOUND')
    expect(await codeOf(fixture.members.remove(id, ada, stranger))).toBe('GROUP_NOT_FOUND')
  }
  expect(await fixture.groups.list(page, stranger)).toEqual({ groups: [], total: 0 })
  expect(await fixture.groups.spaces(stranger)).toEqual([bob])
  expect(await fixture.groups.get(made.id, as(ada))).toEqual(seen)
  expect(await fixture.published(made.id)).toEqual(['group.created', 'member.added'])
})

test('a query without where returns no rows of other spaces', async () => {
  const made = await fixture.groups.create({ name: 'Walls' }, as(newId()))
  expect(await fixture.uow.in([made.id]).read(({ members }) => members.count(made.id))).toBe(1)
  expect(await fixture.uow.in([newId()]).read(({ members }) => members.count(made.id))).toBe(0)
  expect(await fixture.uow.in([]).write(({ groups }) => groups.lock(made.id))).toBe(false)
  expect(await fixture.db.selectFrom('groups').selectAll().execute()).toEqual([])
  const told = { name: 'x', name_key: 'x', description: null, instructions: null, cache_answers: false }
  const foreign = { id: newId(), ...told, created_by: newId() }
  await expect(fixture.uow.in([newId()]).write(({ groups }) => groups.add(foreign))).rejects.toMatchObject({
    code: 'DATABASE_ERROR',
  })
})

test("names are unique among a user's groups, regardless of case, under concurrent requests and when renaming", async () => {
  const [ada, bob] = [newId(), newId()]
  const names = ['Team', 'team', 'TEAM', 'Team', 'tEAM', 'Te\uFF41m']
  const outcomes = await Promise.all(names.map((name) => codeOf(fixture.groups.create({ name }, as(ada)))))
  expect(outcomes.sort()).toEqual([...Array(5).fill('GROUP_NAME_EXISTS'), 'ok'])
  expect(await codeOf(fixture.groups.create({ name: 'Team' }, as(bob)))).toBe('ok')

  const [one, two] = [
    await fixture.groups.create({ name: 'One' }, as(ada)),
    await fixture.groups.create({ name: 'Two' }, as(ada)),
  ]
  expect(await codeOf(fixture.groups.update(one.id, { name: 'TEAM' }, as(ada)))).toBe('GROUP_NAME_EXISTS')
  const renamed = await Promise.all([
    codeOf(fixture.groups.update(one.id, { name: 'Same' }, as(ada))),
    codeOf(fixture.groups.update(two.id, { name: 'same' }, as(ada))),
    codeOf(fixture.groups.create({ name: 'SAME' }, as(ada))),
  ])
  expect(renamed.sort()).toEqual(['GROUP_NAME_EXISTS', 'GROUP_NAME_EXISTS', 'ok'])
})

test('many concurrent different names all succeed, and a group may be renamed to its own name', async () => {
  const ada = newId()
  const made = await Promise.all(Array.from({ length: 12 }, (_, n) => fixture.groups.create({ name: `Group ${n}` }, as(ada))))
  const { groups, total } = await fixture.groups.list({ limit: 5, offset: 0 }, as(ada))
  expect(total).toBe(12)
  expect(groups).toHaveLength(5)
  const all = (await fixture.groups.list({ limit: 50, offset: 0 }, as(ada))).groups
  expect(all.map(({ created_at }) => created_at)).toEqual(
    all
      .map(({ created_at }) => created_at)
      .sort()
      .reverse(),
  )
  expect((await fixture.groups.list({ limit: 50, offset: 10 }, as(ada))).groups).toEqual(all.slice(10))
  const [first] = made
  const again = await fixture.groups.update(first?.id ?? '', { name: 'GROUP 0', description: 'x' }, as(ada))
  expect(again).toMatchObject({ name: 'GROUP 0', description: 'x' })
  expect(await fixture.groups.update(again.id, { description: null }, as(ada))).toMatchObject({
    name: 'GROUP 0',
    description: null,
  })
})

test('a repeated create with the same key returns the same group; with another request it is refused', async () => {
  const ada = newId()
  const [one, two] = await Promise.all([1, 2].map(() => fixture.groups.create({ name: 'Once' }, as(ada, 'key-1'))))
  expect(two).toEqual(one)
  expect(await fixture.groups.create({ name: 'Once' }, as(ada, 'key-1'))).toEqual(one)
  expect(await codeOf(fixture.groups.create({ name: 'Other' }, as(ada, 'key-1')))).toBe('IDEMPOTENCY_MISMATCH')
  expect((await fixture.groups.list(page, as(ada))).total).toBe(1)
  await fixture.deletion.delete({ group_id: one?.id ?? '', purge: true }, as(ada))
  expect(await codeOf(fixture.groups.create({ name: 'Once' }, as(ada, 'key-1')))).toBe('GROUP_NOT_FOUND')
})

test('only an admin changes or deletes a group; refused attempts are audited; a deleted group is not found by anyone', async () => {
  const [ada, bob] = [fixture.users.add('ada2'), fixture.users.add('bob2')]
  const { id } = await fixture.groups.create({ name: 'Short-lived' }, as(ada))
  await fixture.members.add(id, { username: 'bob2', role: 'member' }, as(ada))
  expect(await codeOf(fixture.groups.update(id, { name: "Bob's" }, as(bob)))).toBe('NOT_GROUP_ADMIN')
  expect(await codeOf(fixture.deletion.delete({ group_id: id, purge: true }, as(bob)))).toBe('NOT_GROUP_ADMIN')
  expect((await fixture.audited()).slice(-2)).toEqual([`denied group.update ${id}`, `denied group.purge ${id}`])
  await fixture.deletion.delete({ group_id: id, purge: true }, as(ada))
  expect((await fixture.audited()).at(-1)).toBe(`allowed group.purge ${id}`)
  expect(await codeOf(fixture.groups.get(id, as(ada)))).toBe('GROUP_NOT_FOUND')
  expect(await codeOf(fixture.deletion.delete({ group_id: id, purge: true }, as(ada)))).toBe('GROUP_NOT_FOUND')
  expect(await fixture.groups.spaces(as(bob))).toEqual([bob])
  expect((await fixture.published(id)).at(-1)).toBe('group.deleted')
})

test('instructions of a group are sealed, shown to members in one group and not in lists, and go with it', async () => {
  const [ada, bob, eve] = [fixture.users.add('ada-i'), fixture.users.add('bob-i'), fixture.users.add('eve-i')]
  const text = 'Answer as a pirate would.'
  const made = await fixture.groups.create({ name: 'Sealed', instructions: text }, as(ada))
  expect(made).toMatchObject({ instructions: text })
  await fixture.members.add(made.id, { user_id: bob, role: 'member' }, as(ada))
  expect(await fixture.groups.get(made.id, as(bob))).toMatchObject({ instructions: text })
  expect((await fixture.groups.list(page, as(bob))).groups[0]).not.toHaveProperty('instructions')
  const [row] = await fixture.uow.in([made.id]).read(async ({ groups }) => [await groups.promptFor(bob, made.id)])
  expect(row?.instructions?.includes('pirate')).toBe(false)
  expect(await fixture.groups.promptFor(bob, made.id)).toEqual({ name: 'Sealed', cache_answers: false, instructions: text })
  expect(await fixture.groups.promptFor(eve, made.id)).toBeNull()
  await expect(fixture.groups.update(made.id, { instructions: 'x' }, as(bob))).rejects.toMatchObject({ code: 'NOT_GROUP_ADMIN' })
  await expect(fixture.groups.update(made.id, { instructions: 'x' }, as(eve))).rejects.toMatchObject({ code: 'GROUP_NOT_FOUND' })
  expect(await fixture.audited()).toContain(`denied group.update ${made.id}`)
  expect(await fixture.groups.update(made.id, { name: 'Renamed' }, as(ada))).toMatchObject({
    name: 'Renamed',
    instructions: text,
  })
  expect(await fixture.groups.update(made.id, { instructions: 'Shorter.' }, as(ada))).toMatchObject({ instructions: 'Shorter.' })
  expect(await fixture.groups.update(made.id, { instructions: null }, as(ada))).not.toHaveProperty('instructions')
  await fixture.groups.update(made.id, { instructions: text }, as(ada))
  await fixture.deletion.delete({ group_id: made.id, purge: true }, as(ada))
  expect(await keysOf(made.id)).toBe(0)
})

test('a repeated creation makes no second group and leaves no key behind', async () => {
  const ada = fixture.users.add('ada-r')
  const input = { name: 'Once', instructions: 'Be brief.' }
  const before = await keysOf()
  const [first, second] = [await fixture.groups.create(input, as(ada, 'key')), await fixture.groups.create(input, as(ada, 'key'))]
  expect(second).toMatchObject({ id: first.id, instructions: 'Be brief.' })
  expect((await keysOf()) - before).toBe(1)
  await expect(fixture.groups.create({ ...input, instructions: 'Other.' }, as(ada, 'key'))).rejects.toThrow()
})

/** Data keys of one space, or of all. */
const keysOf = async (spaceId?: string): Promise<number> => {
  const rows = await fixture.db.transaction().execute(async (trx) => {
    await sql`select set_config('app.spaces', '*', true)`.execute(trx)
    return trx.selectFrom('data_keys').select('space_id').execute()
  })
  return rows.filter(({ space_id }) => spaceId === undefined || space_id === spaceId).length
}
