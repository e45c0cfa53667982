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
const page = { limit: 200, offset: 0 }
let made = 0

async function newGroup(...roles: string[]) {
  made += 1
  const ada = fixture.users.add(`ada-${made}`)
  const { id } = await fixture.groups.create({ name: 'Team' }, as(ada))
  const others: string[] = []
  for (const role of roles) {
    const username = `user-${made}-${others.length}`
    others.push(fixture.users.add(username))
    await fixture.members.add(id, { username, role }, as(ada))
  }
  return { id, ada, others }
}
const adminsOf = (id: string) =>
  fixture.uow
    .in([id])
    .read(({ members }) => members.list(id, page))
    .then((rows) => rows.filter(({ role }) => role === 'admin').map(({ user_id }) => user_id))

test('members are added by name or id and listed with their names', async () => {
  const { id, ada } = await newGroup()
  const [bob, eve] = [fixture.users.add('bob'), fixture.users.add('eve')]
  const added = await fixture.members.add(id, { username: 'bob', role: 'member' }, as(ada))
  expect(added).toMatchObject({ user_id: bob, username: 'bob', role: 'member' })
  await fixture.members.add(id, { user_id: eve, role: 'admin' }, as(ada))
  expect(await fixture.members.list(id, page, as(bob))).toMatchObject({
    members: [
      { username: 'eve', role: 'admin' },
      { username: 'bob', role: 'member' },
      { user_id: ada, role: 'admin' },
    ],
    total: 3,
  })
  expect((await fixture.members.list(id, { limit: 1, offset: 1 }, as(bob))).members).toEqual([added])
  expect(await fixture.groups.get(id, as(bob))).toMatchObject({ member_count: 3, role: 'member' })
  expect(await fixture.groups.spaces(as(bob))).toEqual([bob, id])

  expect(await codeOf(fixture.members.add(id, { username: 'bob', role: 'member' }, as(ada)))).toBe('MEMBERSHIP_EXISTS')
  expect(await codeOf(fixture.members.add(id, { username: 'nobody', role: 'member' }, as(ada)))).toBe('USER_NOT_FOUND')
  expect(await codeOf(fixture.members.add(id, { user_id: newId(), role: 'member' }, as(ada)))).toBe('USER_NOT_FOUND')
  expect(await codeOf(fixture.members.add(id, { username: 'bob', role: 'owner' }, as(ada)))).toBe('INVALID_ROLE')
  expect(await codeOf(fixture.members.add(id, { username: 'nobody', role: 'owner' }, as(bob)))).toBe('NOT_GROUP_ADMIN')
  expect((await fixture.audited()).at(-1)).toBe(`denied member.add ${id}`)
  expect(await fixture.audited()).toContain(`allowed member.add ${id}/${bob}`)
  expect(await fixture.published(id)).toEqual(['group.created', 'member.added', 'member.added', 'member.added'])
})

test('a repeated add with the same key returns the same and publishes one event', async () => {
  const { id, ada } = await newGroup()
  const bob = fixture.users.add('repeated')
  const add = (key?: string) => fixture.members.add(id, { user_id: bob, role: 'member' }, as(ada, key))
  const [one, two] = await Promise.all([add('k'), add('k')])
  expect(two).toEqual(one)
  expect(await add('k')).toEqual(one)
  expect(await codeOf(add())).toBe('MEMBERSHIP_EXISTS')
  expect(await fixture.published(id)).toEqual(['group.created', 'member.added', 'member.added'])
})

test('only admins change roles', async () => {
  const {
    id,
    ada,
    others: [bob = ''],
  } = await newGroup('member')
  expect(await codeOf(fixture.members.setRole(id, bob, 'admin', as(bob)))).toBe('NOT_GROUP_ADMIN')
  expect(await codeOf(fixture.members.setRole(id, bob, 'king', as(ada)))).toBe('INVALID_ROLE')
  expect(await codeOf(fixture.members.setRole(id, newId(), 'admin', as(ada)))).toBe('MEMBERSHIP_NOT_FOUND')
  expect(await fixture.members.setRole(id, bob, 'admin', as(ada))).toMatchObject({ user_id: bob, role: 'admin' })
  await fixture.members.setRole(id, bob, 'admin', as(ada))
  expect((await fixture.published(id)).filter((event) => event === 'member.role-changed')).toHaveLength(1)
  expect(await codeOf(fixture.members.setRole(id, ada, 'member', as(bob)))).toBe('ok')
  expect(await adminsOf(id)).toEqual([bob])
})

test('a member may leave and be removed, the last admin may not', async () => {
  const {
    id,
    ada,
    others: [bob = '', eve = ''],
  } = await newGroup('member', 'member')
  expect(await codeOf(fixture.members.remove(id, eve, as(bob)))).toBe('NOT_GROUP_ADMIN')
  expect(await codeOf(fixture.members.remove(id, newId(), as(bob)))).toBe('NOT_GROUP_ADMIN')
  expect(await codeOf(fixture.members.remove(id, newId(), as(ada)))).toBe('MEMBERSHIP_NOT_FOUND')
  expect(await codeOf(fixture.members.remove(id, bob, as(bob)))).toBe('ok')
  expect(await codeOf(fixture.groups.get(id, as(bob)))).toBe('GROUP_NOT_FOUND')
  expect(await codeOf(fixture.members.remove(id, bob, as(bob)))).toBe('GROUP_NOT_FOUND')
  expect(await codeOf(fixture.members.remove(id, ada, as(ada)))).toBe('LAST_ADMIN')
  expect(await codeOf(fixture.members.setRole(id, ada, 'member', as(ada)))).toBe('LAST_ADMIN')
  expect(await codeOf(fixture.members.remove(id, eve, as(ada)))).toBe('ok')
  expect(await codeOf(fixture.members.remove(id, ada, as(ada)))).toBe('LAST_ADMIN')
  expect((await fixture.published(id)).filter((event) => event === 'member.removed')).toHaveLength(2)
})

// Demoting oneself and leaving always succeed except for the last admin; removing another can fail, because the caller may have
// been removed before.
test.each([
  ['demoting themselves', ['demote']],
  ['leaving', ['leave']],
  ['removing the next', ['removeNext']],
  ['doing all of it', ['demote', 'leave', 'removeNext']],
] as const)('many admins %s at once leave an admin', async (_what, ways) => {
  const { id, ada, others } = await newGroup(...Array<string>(19).fill('admin'))
  const admins = [ada, ...others]
  const at = (n: number) => admins[n % admins.length] ?? ''
  const acts = {
    demote: (n: number) => ({ whom: at(n), done: fixture.members.setRole(id, at(n), 'member', as(at(n))) }),
    leave: (n: number) => ({ whom: at(n), done: fixture.members.remove(id, at(n), as(at(n))) }),
    removeNext: (n: number) => ({ whom: at(n + 1), done: fixture.members.remove(id, at(n + 1), as(at(n))) }),
  }
  const begun = admins.map((_, n) => acts[ways[n % ways.length] ?? 'demote'](n))
  const outcomes = await Promise.all(begun.map(({ done }) => codeOf(done)))
  const left = await adminsOf(id)
  // Somebody may be demoted first and removed then: both succeed, and one admin less is left.
  const former = new Set(begun.flatMap(({ whom }, n) => (outcomes[n] === 'ok' ? [whom] : [])))
  expect(left.toSorted()).toEqual(admins.filter((admin) => !former.has(admin)).toSorted())
  expect(left.length).toBeGreaterThanOrEqual(1)
  expect(outcomes).toContain('ok')
  const expected = ['ok', 'LAST_ADMIN', 'GROUP_NOT_FOUND', 'NOT_GROUP_ADMIN', 'MEMBERSHIP_NOT_FOUND']
  expect(outcomes.filter((outcome) => !expected.includes(outcome))).toEqual([])
})

test('when twenty admins step back concurrently, exactly one stays admin', async () => {
  const { id, ada, others } = await newGroup(...Array<string>(19).fill('admin'))
  const outcomes = await Promise.all(
    [ada, ...others].map((admin) => codeOf(fixture.members.setRole(id, admin, 'member', as(admin)))),
  )
  expect(outcomes.toSorted()).toEqual(['LAST_ADMIN', ...Array<string>(19).fill('ok')])
  expect(await adminsOf(id)).toHaveLength(1)
})

test('a deleted user is shown as such, and requests fail while auth is down', async () => {
  const { id, ada } = await newGroup()
  const ghost = newId()
  await fixture.uow.in([id]).write(({ members }) => members.add(id, ghost, 'member'))
  expect((await fixture.members.list(id, page, as(ada))).members.map(({ username }) => username)).toContain('deleted user')
  fixture.users.isAway = true
  try {
    expect(await codeOf(fixture.members.list(id, page, as(ada)))).toBe('SERVICE_UNAVAILABLE')
    expect(await codeOf(fixture.members.setRole(id, ghost, 'admin', as(ada)))).toBe('SERVICE_UNAVAILABLE')
    expect(await adminsOf(id)).toEqual([ada])
    expect(await codeOf(fixture.groups.list(page, as(ada)))).toBe('ok')
  } finally {
    fixture.users.isAway = false
  }
})
