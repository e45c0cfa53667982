import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Browser } from './support/browser.ts'
import { startTestSystem, type TestSystem } from './support/system.ts'
import { failure, Person } from './support/person.ts'

let system: TestSystem
// Tests choose the address that they come from with X-Forwarded-For.
beforeAll(async () => void (system = await startTestSystem({ env: { SECURITY__TRUSTED_PROXIES: '127.0.0.1' } })), 120_000)
afterAll(() => system[Symbol.asyncDispose]())

test('an account with a password signs in, needs a CSRF token to write, and signs out', async () => {
  const made = await system.root.post('/v1/admin/users', { username: 'grace', password: 'correct horse battery' })
  expect(made.status).toBe(201)
  expect(made.body).toMatchObject({ username: 'grace', is_root: false, api_key: expect.stringMatching(/^yw_/) })
  expect((await system.root.post('/v1/admin/users', { username: 'Grace' })).status).toBe(409)

  const browser = new Browser(system.api)
  const login = await browser.call('POST', '/v1/auth/login', { username: 'grace', password: 'correct horse battery' })
  expect(login.status).toBe(200)
  expect(login.body).toMatchObject({
    message: expect.any(String),
    username: 'grace',
    expires_in: expect.any(Number),
    user: { username: 'grace' },
    csrf_token: expect.any(String),
  })
  const cookies = login.headers.getSetCookie().join('\n')
  expect(cookies).toMatch(/youworker_token=[^;]+;.*HttpOnly/i)
  expect(cookies).toMatch(/youworker_csrf=[^;]+;.*SameSite=Strict/i)
  expect((await browser.call('GET', '/v1/auth/me')).body).toMatchObject({
    username: 'grace',
    authenticated: true,
    is_root: false,
    groups: [],
  })

  const withoutToken = await browser.call('POST', '/v1/sessions', { title: 'x' })
  expect(withoutToken.status).toBe(403)
  expect(withoutToken.body).toMatchObject(failure('CSRF_VALIDATION_FAILED'))
  const { csrf_token } = (await browser.call('GET', '/v1/auth/csrf-token')).body
  expect((await browser.call('POST', '/v1/sessions', { title: 'x' }, { 'x-csrf-token': 'forged' })).status).toBe(403)
  expect((await browser.call('POST', '/v1/sessions', { title: 'x' }, { 'x-csrf-token': csrf_token })).status).toBeLessThan(300)

  const copy = new Map(browser.cookies)
  expect((await browser.call('POST', '/v1/auth/logout', undefined, { 'x-csrf-token': csrf_token })).status).toBe(200)
  for (const [name, value] of copy) browser.cookies.set(name, value)
  expect((await browser.call('GET', '/v1/auth/me')).status).toBe(401)
})

test('a CSRF token is invalid in another session', async () => {
  await system.root.post('/v1/admin/users', { username: 'heidi', password: 'a long password' })
  const [one, two] = [new Browser(system.api), new Browser(system.api)]
  for (const browser of [one, two])
    await browser.call('POST', '/v1/auth/login', { username: 'heidi', password: 'a long password' })
  const foreign = one.cookies.get('youworker_csrf') ?? ''
  two.cookies.set('youworker_csrf', foreign)
  expect((await two.call('POST', '/v1/sessions', {}, { 'x-csrf-token': decodeURIComponent(foreign) })).status).toBe(403)
})

test('a client gets a bearer token on request, and a forged one is refused', async () => {
  const person = await system.newPerson('ivan')
  const { status, body } = await new Person(system.api, '').post('/v1/auth/login', { api_key: person.key, token: true })
  expect(status).toBe(200)
  expect(body).toMatchObject({ access_token: expect.any(String), token_type: 'bearer', expires_in: expect.any(Number) })
  const bearer = { authorization: `Bearer ${body.access_token}` }
  expect((await new Person(system.api, '').call('GET', '/v1/auth/me', undefined, bearer)).body).toMatchObject({
    username: 'ivan',
  })
  const [header, payload, signature] = body.access_token.split('.')
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString())
  const forged = Buffer.from(JSON.stringify({ ...claims, root: true })).toString('base64url')
  for (const token of [
    `${header}.${forged}.${signature}`,
    `${Buffer.from('{"alg":"none"}').toString('base64url')}.${payload}.`,
  ]) {
    expect(
      (await new Person(system.api, '').call('GET', '/v1/auth/me', undefined, { authorization: `Bearer ${token}` })).status,
    ).toBe(401)
  }
})

test('auto-login accepts a key in a header and ignores a user name header', async () => {
  const person = await system.newPerson('judy')
  const stranger = new Person(system.api, '')
  for (const headers of [
    { 'x-api-key': person.key ?? '' },
    { 'x-authentik-api-key': person.key ?? '', 'x-authentik-username': 'root' },
  ]) {
    const { status, body } = await stranger.call('POST', '/v1/auth/auto-login', undefined, headers)
    expect([status, body.username, body.user.is_root]).toEqual([200, 'judy', false])
  }
})

test('only root creates accounts', async () => {
  const person = await system.newPerson('mallory')
  expect((await person.post('/v1/admin/users', { username: 'puppet' })).body).toMatchObject(failure('NOT_AUTHORIZED'))
})

/** Lets what is blocked stay so, however slow this machine is. */
async function holdBlocks(): Promise<void> {
  const client = new pg.Client({ connectionString: system.running.adminUrl })
  await client.connect()
  await client.query(`update auth.sign_in_failures set blocked_until = now() + interval '1 hour' where blocked_until is not null`)
  await client.end()
}

test('a name that strangers attack from many addresses is open on a known device, from a known address and by key', async () => {
  const right = { username: 'victor', password: 'a long password' }
  const { api_key } = (await system.root.post('/v1/admin/users', right)).body
  const from = (address: string) => ({ 'x-forwarded-for': address })
  const laptop = new Browser(system.api)
  const first = await laptop.call('POST', '/v1/auth/login', right, from('192.0.2.10'))
  expect(first.headers.getSetCookie().join('\n')).toMatch(/youworker_device=[^;]+;.*Max-Age=15552000;.*HttpOnly/i)
  await laptop.call('POST', '/v1/auth/logout', undefined, { 'x-csrf-token': first.body.csrf_token })
  expect([...laptop.cookies.keys()]).toEqual(['youworker_device'])

  const stranger = new Person(system.api, '')
  const guess = (address: string) =>
    stranger.post('/v1/auth/login', { ...right, password: 'a wrong password' }, from(address)).then(({ status }) => status)
  const statuses: number[] = []
  for (let n = 0; n < 20; n += 1) statuses.push(await guess(`2001:db8:0:${n.toString(16)}::1`))
  expect(statuses).toEqual(Array(20).fill(401))
  await holdBlocks()
  expect([await guess('2001:db8:0:99::1'), await guess('2001:db8:0:9a::1')]).toEqual([429, 429])

  const refused = await stranger.post('/v1/auth/login', right, from('198.51.100.1'))
  expect([refused.status, refused.body.error.code]).toEqual([429, 'RATE_LIMIT_EXCEEDED'])
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
  expect((await laptop.call('POST', '/v1/auth/login', right, from('198.51.100.2'))).status).toBe(200)
  expect((await stranger.post('/v1/auth/login', right, from('192.0.2.10'))).status).toBe(200)
  expect((await stranger.post('/v1/auth/login', { api_key }, from('198.51.100.3'))).status).toBe(200)

  const forged = new Browser(system.api)
  for (const value of [
    'x',
    `${laptop.cookies.get('youworker_device')?.split('.')[0]}.x`,
    '.',
    `${'a'.repeat(43)}.${'b'.repeat(43)}`,
  ]) {
    forged.cookies.set('youworker_device', value)
    expect((await forged.call('POST', '/v1/auth/login', right, from('198.51.100.4'))).status).toBe(429)
  }
})

test.each([
  ['signed out everywhere', 'zoe', (id: string) => system.root.post(`/v1/admin/users/${id}/sign-out`)],
  [
    'suspended and resumed',
    'zora',
    async (id: string) => {
      await system.root.call('PATCH', `/v1/admin/users/${id}`, { suspended: true })
      return system.root.call('PATCH', `/v1/admin/users/${id}`, { suspended: false })
    },
  ],
])('a user who was %s has no known device or address any more', async (_, username, end) => {
  const right = { username, password: 'a long password' }
  const { id } = (await system.root.post('/v1/admin/users', right)).body
  const laptop = new Browser(system.api)
  const login = async (browser: Browser, password: string, address: string) =>
    (await browser.call('POST', '/v1/auth/login', { ...right, password }, { 'x-forwarded-for': address })).status
  expect(await login(laptop, right.password, '192.0.2.20')).toBe(200)
  for (let n = 0; n < 20; n += 1) expect(await login(new Browser(system.api), 'wrong', `2001:db8:2:${n}::1`)).toBe(401)
  await holdBlocks()
  expect(await login(laptop, right.password, '192.0.2.20')).toBe(200)
  expect((await end(id)).status).toBeLessThan(300)
  expect(await login(laptop, right.password, '192.0.2.20')).toBe(429)
})

test('wrong passwords from one address slow down that address alone', async () => {
  const right = { username: 'wendy', password: 'a long password' }
  await system.root.post('/v1/admin/users', right)
  const login = async (password: string, address: string) =>
    (await new Person(system.api, '').post('/v1/auth/login', { ...right, password }, { 'x-forwarded-for': address })).status
  const statuses: number[] = []
  for (let n = 0; n < 5; n += 1) statuses.push(await login('a wrong password', `2001:db8:1:1::${n}`))
  expect(statuses).toEqual(Array(5).fill(401))
  await holdBlocks()
  expect(await login(right.password, '2001:db8:1:1::99')).toBe(429)
  expect(await login(right.password, '2001:db8:1:2::1')).toBe(200)
})

test('a new login ends the session that the browser had, and no other', async () => {
  const right = { username: 'xenia', password: 'a long password' }
  await system.root.post('/v1/admin/users', right)
  const [browser, elsewhere] = [new Browser(system.api), new Browser(system.api)]
  for (const each of [browser, elsewhere]) await each.signIn(right.username, right.password)
  const old = new Browser(system.api)
  for (const [name, value] of browser.cookies) old.cookies.set(name, value)
  const me = async (of: Browser) => (await of.call('GET', '/v1/auth/me')).status
  expect([await me(old), await me(browser)]).toEqual([200, 200])
  expect((await browser.call('POST', '/v1/auth/login', { ...right, password: 'a wrong password' })).status).toBe(401)
  expect(await me(old)).toBe(200)
  await browser.signIn(right.username, right.password)
  await expect.poll(() => me(old), { timeout: 10_000 }).toBe(401)
  expect([await me(browser), await me(elsewhere)]).toEqual([200, 200])
})

test('nobody at the same address can spend the limits of a known browser or of a key that was right', async () => {
  await using limited = await startTestSystem({
    env: { SECURITY__TRUSTED_PROXIES: '127.0.0.1', SECURITY__RATE_LIMITS: 'on' },
  })
  const right = { username: 'yuri', password: 'a long password' }
  await limited.root.post('/v1/admin/users', right)
  const office = { 'x-forwarded-for': '203.0.113.5' }
  const yuri = new Browser(limited.api)
  expect((await yuri.call('POST', '/v1/auth/login', right, office)).status).toBe(200)
  const key = limited.root.key ?? ''
  expect((await limited.root.call('GET', '/v1/auth/me', undefined, office)).status).toBe(200)

  const neighbour = new Person(limited.api, '')
  const wrong = () => neighbour.call('GET', '/v1/auth/me', undefined, { ...office, 'x-api-key': 'yw_wrong' })
  await expect.poll(async () => (await wrong()).status, { timeout: 60_000, interval: 1 }).toBe(429)
  const login = () => neighbour.post('/v1/auth/login', { username: 'nobody', password: 'x' }, office)
  await expect.poll(async () => (await login()).status, { timeout: 60_000, interval: 1 }).toBe(429)

  expect((await yuri.call('GET', '/v1/auth/me', undefined, office)).status).toBe(200)
  expect((await yuri.call('POST', '/v1/auth/login', right, office)).status).toBe(200)
  expect((await neighbour.call('GET', '/v1/auth/me', undefined, { ...office, 'x-api-key': key })).status).toBe(200)
})
