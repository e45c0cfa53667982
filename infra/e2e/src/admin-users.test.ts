import { ROUTES } from '@youworker/gateway/routes'
import { waitFor } from '@youworker/test-kit/wait-for'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Browser } from './support/browser.ts'
import { failure, Person } from './support/person.ts'
import { openStreams, type ReplicatedSystem, startReplicatedSystem } from './support/replicated-system.ts'

const UNKNOWN = '01890000-0000-7000-8000-000000000000'
let system: ReplicatedSystem
let root: Person
beforeAll(async () => {
  system = await startReplicatedSystem()
  root = system.root
}, 180_000)
afterAll(() => system?.[Symbol.asyncDispose]())

const USERS = '/v1/admin/users'
const patch = (id: string, changes: object, by = root) => by.call('PATCH', `${USERS}/${id}`, changes)
const idOf = async (person: Person) => (await person.get('/v1/auth/me')).body.id
/** Waits until the audit trail has these acts on a target. */
const audited = async (targetId: string, ...actions: string[]): Promise<void> => {
  await expect.poll(() => system.audited(targetId), { timeout: 30_000 }).toEqual(expect.arrayContaining(actions))
}

test('root creates, lists, reads and renames accounts', async () => {
  const made = await root.post(USERS, { username: 'Ada', email: 'ada@example.org' })
  expect(made.status).toBe(201)
  const account = {
    id: made.body.id,
    username: 'Ada',
    email: 'ada@example.org',
    is_root: false,
    suspended: false,
    created_at: expect.any(String),
  }
  expect(made.body).toEqual({ ...account, api_key: expect.stringMatching(/^yw_/) })
  await system.newPerson('later')
  const { body } = await root.get(`${USERS}?limit=1&offset=1`)
  expect(body).toEqual({ users: [account], total: 3, next_after: expect.any(String) })
  expect((await root.get(`${USERS}/${account.id}`)).body).toEqual({ ...account, deleted_at: null, erasure: null })
  expect((await patch(account.id, { username: 'Ada.L', email: null })).body).toEqual({
    ...account,
    username: 'Ada.L',
    email: null,
  })
  expect((await patch(account.id, { username: 'LATER' })).body).toMatchObject(failure('CONFLICT'))
  for (const bad of [{ username: 'a b' }, { email: 'nobody' }, { suspended: 'yes' }, { is_root: 1 }])
    expect((await patch(account.id, bad)).status, JSON.stringify(bad)).toBe(400)
  await audited(account.id, 'user.create', 'user.update', 'user.get')
})

test('a suspended user is refused by both gateways, and everything of theirs ends; resumed, the same key works', async () => {
  const bob = await system.newPerson('bob', { password: 'a long password' })
  const browser = new Browser(system.gateways[1] ?? '')
  await browser.signIn('bob', 'a long password')
  const bearer = await new Person(bob.api, '').post('/v1/auth/login', { api_key: bob.key, token: true })
  const withBearer = () =>
    new Person(system.gateways[1] ?? '', '').call('GET', '/v1/auth/me', undefined, {
      authorization: `Bearer ${bearer.body.access_token}`,
    })
  await system.untilAllAnswer(bob.key, 200)
  expect((await withBearer()).status).toBe(200)
  const open = await openStreams(bob, {}, system.gateways[1])

  expect((await patch(bob.id, { suspended: true })).body).toMatchObject({ suspended: true })
  await system.untilAllAnswer(bob.key, 401)
  await waitFor(async () => (await withBearer()).status === 401, { what: 'the end of the bearer token' })
  await waitFor(async () => (await browser.call('GET', '/v1/auth/me')).status === 401, { what: 'the end of the session' })
  expect(await open.ended).not.toContain('done success')
  expect(await open.closed).toBe(1008)
  for (const body of [{ api_key: bob.key }, { username: 'bob', password: 'a long password' }]) {
    const refused = await new Person(bob.api, '').post('/v1/auth/login', body)
    expect([refused.status, refused.body.error.message]).toEqual([401, expect.stringContaining('suspended')])
  }
  expect((await bob.get('/v1/auth/me')).body.error.message).toContain('suspended')
  // Only who has the password learns of it.
  const guess = await new Person(bob.api, '').post('/v1/auth/login', { username: 'bob', password: 'a wrong password' })
  expect(guess.body.error.message).not.toContain('suspended')

  expect((await patch(bob.id, { suspended: false })).body).toMatchObject({ suspended: false })
  await system.untilAllAnswer(bob.key, 200)
  expect((await browser.call('GET', '/v1/auth/me')).status).toBe(401)
  await browser.signIn('bob', 'a long password')
  const state = async () => (await bob.get(`/v1/runs/${open.runId}`)).body.status
  await waitFor(async () => (await state()) === 'cancelled', { what: 'the end of the run' })
  await audited(bob.id, 'user.suspend', 'user.resume')
})

test('sign-out ends the sessions of a user, and their streams and runs; keys stay', async () => {
  const cleo = await system.newPerson('cleo', { password: 'a long password' })
  const browsers = system.gateways.map((api) => new Browser(api))
  for (const browser of browsers) await browser.signIn('cleo', 'a long password')
  const csrf = (await browsers[0]?.call('GET', '/v1/auth/csrf-token'))?.body.csrf_token as string
  const headers = { cookie: browsers[0]?.cookieHeader ?? '', 'x-csrf-token': csrf }
  const open = await openStreams(new Person(cleo.api, ''), headers, system.gateways[1])
  expect((await root.post(`${USERS}/${cleo.id}/sign-out`)).status).toBe(204)
  for (const browser of browsers)
    await waitFor(async () => (await browser.call('GET', '/v1/auth/me')).status === 401, { what: 'the end of the session' })
  expect(await open.ended).not.toContain('done success')
  expect(await open.closed).toBe(1008)
  await system.untilAllAnswer(cleo.key, 200)
  await waitFor(async () => (await cleo.get(`/v1/runs/${open.runId}`)).body.status === 'cancelled', {
    what: 'the end of the run',
  })
  await browsers[0]?.signIn('cleo', 'a long password')
  expect((await browsers[0]?.call('GET', '/v1/auth/me'))?.status).toBe(200)
  await audited(cleo.id, 'user.sign-out')
})

test('a user becomes root with the next sign-in, and is root no more at once, at both gateways', async () => {
  const dana = await system.newPerson('dana')
  const asRoot = () => Promise.all(system.everywhere(dana.key).map(async (person) => (await person.get(USERS)).status))
  expect(await asRoot()).toEqual([403, 403])
  expect((await patch(dana.id, { is_root: true })).body).toMatchObject({ is_root: true })
  const session = new Browser(root.api)
  const csrf = { 'x-csrf-token': (await session.call('POST', '/v1/auth/login', { api_key: dana.key })).body.csrf_token }
  const asDana = (id: string, changes: object) => session.call('PATCH', `${USERS}/${id}`, changes, csrf)
  expect((await session.call('GET', USERS)).status).toBe(200)
  // Neither may take their own rights, and the account of the setting keeps its own.
  const rootId = await idOf(root)
  for (const changes of [{ is_root: false }, { suspended: true }]) {
    expect((await asDana(dana.id, changes)).body).toMatchObject(failure('CONFLICT'))
    expect((await asDana(rootId, changes)).body).toMatchObject(failure('CONFLICT'))
    expect((await patch(rootId, changes)).body).toMatchObject(failure('CONFLICT'))
  }
  expect((await patch(rootId, { username: 'somebody' })).body).toMatchObject(failure('CONFLICT'))
  expect((await patch(dana.id, { is_root: false })).body).toMatchObject({ is_root: false })
  await waitFor(async () => (await session.call('GET', USERS)).status === 403, { what: 'the end of the rights' })
  expect(await asRoot()).toEqual([403, 403])
  expect(await system.statusesOf(root.key)).toEqual([200, 200])
  await audited(dana.id, 'user.make-root', 'user.unmake-root', 'user.update!')
})

test('a deleted user is gone from both gateways at once, with streams and runs', async () => {
  const gil = await system.newPerson('gil', { password: 'a long password' })
  await system.untilAllAnswer(gil.key, 200)
  const open = await openStreams(gil, {}, system.gateways[1])
  expect((await root.call('DELETE', `${USERS}/${gil.id}`)).status).toBe(204)
  await system.untilAllAnswer(gil.key, 401)
  expect(await open.ended).not.toContain('done success')
  expect(await open.closed).toBe(1008)
  expect((await new Person(root.api, '').post('/v1/auth/login', { username: 'gil', password: 'a long password' })).status).toBe(
    401,
  )
  await expect.poll(async () => (await root.get(`${USERS}/${gil.id}`)).body.erasure?.status, { timeout: 80_000 }).toBe('success')
  expect(await system.system.sql('select id from chat_agent.runs where user_id = $1', [gil.id])).toEqual([])
  await audited(gil.id, 'user.delete')
  // Root neither deletes itself nor the account of the setting.
  const rootId = await idOf(root)
  expect((await root.call('DELETE', `${USERS}/${rootId}`)).body).toMatchObject(failure('CONFLICT'))
  await audited(rootId, 'user.delete!')
}, 120_000)

const withId = (path: string, id: string) => path.replace(/\{\w+\}/, id)

test('nobody but root gets through any admin route, and refusals tell nothing', async () => {
  const [eve, victim] = [await system.newPerson('eve'), await system.newPerson('victim')]
  const suspended = await system.newPerson('was-root', { is_root: true })
  expect((await suspended.get(USERS)).status).toBe(200)
  await patch(suspended.id, { suspended: true })
  await system.untilAllAnswer(suspended.key, 401)
  const limited = await root.post('/v1/account/api-keys', { name: 'x', scopes: ['chat', 'documents', 'documents:read', 'ops'] })
  const callers: [string, Person, number][] = [
    ['a user', eve, 403],
    ['the user in question', victim, 403],
    ['a suspended root', suspended, 401],
    ['a limited key of root', new Person(root.api, '', limited.body.api_key), 403],
    ['nobody', new Person(root.api, ''), 401],
  ]
  const change = { username: 'puppet', suspended: true }
  const server = { name: 'puppet', protocol: 'ollama', base_url: 'http://127.0.0.1:1', model: 'puppet' }
  const bodies: [string, object][] = [
    ['/models/', server],
    ['/index/migrate', { to: 'embedded' }],
  ]
  const routes = ROUTES.filter(({ tag }) => tag === 'admin')
  expect(routes.length).toBeGreaterThanOrEqual(5)
  const withoutId = ({ body }: { body: { error: object } }) => ({ ...body.error, correlation_id: undefined })
  for (const { method, path } of routes) {
    const body =
      method === 'GET' || method === 'DELETE' ? undefined : (bodies.find(([part]) => path.includes(part))?.[1] ?? change)
    for (const [who, caller, status] of callers) {
      const [known, unknown] = await Promise.all([victim.id, UNKNOWN].map((id) => caller.call(method, withId(path, id), body)))
      expect([who, method, path, known?.status]).toEqual([who, method, path, status])
      expect(known && withoutId(known)).toEqual(unknown && withoutId(unknown))
    }
    if (!path.includes('{')) continue
    const missing = path.includes('{user_id}') ? 'USER_NOT_FOUND' : 'MODEL_BACKEND_NOT_FOUND'
    expect((await root.call(method, withId(path, UNKNOWN), body)).body).toMatchObject(failure(missing))
    expect((await root.call(method, withId(path, 'nonsense'), body)).status).toBe(400)
  }
  expect((await root.get(`${USERS}/${victim.id}`)).body).toMatchObject({ username: 'victim', suspended: false })
  expect(await system.statusesOf(victim.key)).toEqual([200, 200])
  await audited(victim.id, 'user.get!', 'user.update!', 'user.sign-out!')
}, 120_000)
