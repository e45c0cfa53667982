import { afterAll, beforeAll, expect, test } from 'vitest'
import { Browser } from './support/browser.ts'
import { startTestSystem, type TestSystem } from './support/system.ts'
import { failure, Person } from './support/person.ts'

let system: TestSystem
beforeAll(async () => void (system = await startTestSystem()), 120_000)
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
