import { testCallContext, testCaller } from '@youworker/messaging/requests/test-context'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openTestAuth, ROOT_KEY, type TestAuth, signInAsGateway } from '../../test-fixture.ts'
import { sha256 } from '@youworker/runtime/secret'
import { SignInService } from './sign-in-service.ts'
import { createHashLimit } from './hash-limit.ts'

let fixture: TestAuth
beforeAll(async () => {
  fixture = await openTestAuth()
  const root = await fixture.root()
  for (const username of ['Ada', 'bob', 'carol'])
    await fixture.accounts.create({ username, password: 'a good password' }, root, testCallContext())
}, 60_000)
afterAll(() => fixture[Symbol.asyncDispose]())

const codeOf = (attempt: Promise<unknown>) =>
  attempt.then(
    () => 'ok',
    (error: { code: string }) => error.code,
  )
const audited = (outcome: string) =>
  fixture.db
    .selectFrom('outbox')
    .select('data')
    .where('subject', 'like', '%audit.recorded')
    .execute()
    .then((rows) =>
      rows.map(({ data }) => data).filter((data) => data['action'] === 'session.create' && data['outcome'] === outcome),
    )

test('the right password creates a session; its secret is not stored', async () => {
  const { user, session_id, session_secret, expires_at } = await fixture.signIn.withPassword(
    'aDA',
    'a good password',
    testCallContext(),
  )
  expect(user).toMatchObject({ username: 'Ada', is_root: false })
  expect(session_secret).toMatch(/^[\w-]{43}$/)
  expect(Date.parse(expires_at) - Date.now()).toBeGreaterThan(29 * 86_400_000)
  const row = await fixture.db.selectFrom('sessions').selectAll().where('id', '=', session_id).executeTakeFirstOrThrow()
  expect(JSON.stringify(row)).not.toContain(session_secret)
  expect(row.secret_hash).toHaveLength(32)
  const exchanged = await fixture.credentials.exchange('session', session_secret)
  expect(exchanged).toMatchObject({ sid: session_id, user })
})

test('wrong name, wrong password, no password, impossible name and wrong key are refused alike', async () => {
  for (const [name, password] of [
    ['nobody', 'x'],
    ['Ada', 'A good password'],
    ['root', ''],
    ['a\0b', 'x'],
    ['\ud800', 'x'],
  ] as const) {
    await expect(fixture.signIn.withPassword(name, password, testCallContext())).rejects.toMatchObject({
      code: 'NOT_AUTHENTICATED',
      message: 'Not authenticated: wrong username or password.',
    })
  }
  await expect(fixture.signIn.withApiKey('yw_wrong', testCallContext())).rejects.toMatchObject({ code: 'NOT_AUTHENTICATED' })
  expect(await audited('denied')).toHaveLength(6)
})

test('ten failures for a name block passwords for it on every replica, and for no other name', async () => {
  const replica = signInAsGateway(new SignInService(fixture.uow, createHashLimit({ running: 2, waiting: 64 }), fixture.apiKeys))
  const outcomes: string[] = []
  for (let n = 0; n < 12; n += 1) {
    outcomes.push(
      await codeOf((n % 2 ? fixture.signIn : replica).withPassword(n % 3 ? 'bob' : 'BOB', 'guess', testCallContext())),
    )
  }
  expect(outcomes).toEqual([...Array(10).fill('NOT_AUTHENTICATED'), ...Array(2).fill('RATE_LIMIT_EXCEEDED')])
  const refused = await replica.withPassword('bob', 'a good password', testCallContext()).catch((error: unknown) => error)
  expect(refused).toMatchObject({ code: 'RATE_LIMIT_EXCEEDED' })
  const { retryAfter } = refused as { retryAfter: number }
  expect(retryAfter).toBeGreaterThan(800)
  expect(retryAfter).toBeLessThanOrEqual(900)
  expect(await codeOf(fixture.signIn.withPassword('carol', 'a good password', testCallContext()))).toBe('ok')

  await fixture.db
    .updateTable('sign_in_failures')
    .set({ window_start: new Date(Date.now() - 901_000).toISOString() })
    .execute()
  expect(await codeOf(fixture.signIn.withPassword('bob', 'a good password', testCallContext()))).toBe('ok')
})

test('a right password clears earlier failures; guesses at once can exceed the limit only by those that run at once', async () => {
  for (let n = 0; n < 9; n += 1) await codeOf(fixture.signIn.withPassword('carol', 'guess', testCallContext()))
  expect(await codeOf(fixture.signIn.withPassword('carol', 'a good password', testCallContext()))).toBe('ok')
  const outcomes = await Promise.all(
    Array.from({ length: 40 }, () => codeOf(fixture.signIn.withPassword('carol', 'guess', testCallContext()))),
  )
  const tried = outcomes.filter((outcome) => outcome === 'NOT_AUTHENTICATED').length
  expect(tried).toBeGreaterThanOrEqual(10)
  expect(tried).toBeLessThanOrEqual(12)
})

test('a thousand failures over all names block passwords, but not API keys', async () => {
  await codeOf(fixture.signIn.withPassword('nobody-yet', 'guess', testCallContext()))
  const all = fixture.db.updateTable('sign_in_failures').where('bucket', '=', sha256('all passwords'))
  await all.set({ failures: 999 }).execute()
  expect(await codeOf(fixture.signIn.withPassword('Ada', 'a good password', testCallContext()))).toBe('ok')
  await codeOf(fixture.signIn.withPassword('nobody-yet', 'guess', testCallContext()))
  expect(await codeOf(fixture.signIn.withPassword('Ada', 'a good password', testCallContext()))).toBe('RATE_LIMIT_EXCEEDED')
  expect(await codeOf(fixture.signIn.withApiKey(ROOT_KEY, testCallContext()))).toBe('ok')
  await fixture.db.deleteFrom('sign_in_failures').execute()
})

test('many concurrent right passwords all succeed', async () => {
  const outcomes = await Promise.all(
    Array.from({ length: 30 }, () => codeOf(fixture.signIn.withPassword('Ada', 'a good password', testCallContext()))),
  )
  expect(outcomes).toEqual(Array(30).fill('ok'))
})

test('wrong keys are audited up to a limit, and block nothing', async () => {
  const before = (await audited('denied')).length
  await Promise.all(Array.from({ length: 130 }, () => codeOf(fixture.signIn.withApiKey('yw_wrong', testCallContext()))))
  expect((await audited('denied')).length - before).toBeLessThanOrEqual(100)
  expect(await codeOf(fixture.signIn.withApiKey(ROOT_KEY, testCallContext()))).toBe('ok')
})

test('a session is extended by use, ends after 12 h without use and after 30 days in any case', async () => {
  const { session_id, session_secret } = await fixture.signIn.withPassword('Ada', 'a good password', testCallContext())
  const set = (values: { last_used_at?: string; created_at?: string }) =>
    fixture.db.updateTable('sessions').set(values).where('id', '=', session_id).execute()
  const lastUse = async () =>
    Date.parse(
      (await fixture.db.selectFrom('sessions').select('last_used_at').where('id', '=', session_id).executeTakeFirstOrThrow())
        .last_used_at,
    )
  const ago = (hours: number) => new Date(Date.now() - hours * 3_600_000).toISOString()
  const use = () => codeOf(fixture.credentials.exchange('session', session_secret))

  const first = await lastUse()
  expect(await use()).toBe('ok')
  expect(await lastUse()).toBe(first)
  await set({ last_used_at: ago(11.9) })
  expect(await use()).toBe('ok')
  expect(Date.now() - (await lastUse())).toBeLessThan(60_000)
  await set({ last_used_at: ago(12.1) })
  expect(await use()).toBe('NOT_AUTHENTICATED')
  await set({ last_used_at: ago(0), created_at: ago(30 * 24 - 0.1) })
  const { token_expires_at } = await fixture.credentials.exchange('session', session_secret)
  expect(Date.parse(token_expires_at) - Date.now()).toBeLessThanOrEqual(360_000)
  await fixture.sweeper.sweep()
  expect(await use()).toBe('ok')
  await set({ created_at: ago(30 * 24 + 0.1) })
  expect(await use()).toBe('NOT_AUTHENTICATED')
  await fixture.sweeper.sweep()
  expect(await fixture.db.selectFrom('sessions').select('id').where('id', '=', session_id).execute()).toEqual([])
})

test('a session ends with the key that created it', async () => {
  const { api_key } = await fixture.accounts.create({ username: 'dora' }, await fixture.root(), testCallContext())
  const { session_secret, user } = await fixture.signIn.withApiKey(api_key, testCallContext())
  expect(await codeOf(fixture.credentials.exchange('session', session_secret))).toBe('ok')
  await fixture.db.updateTable('api_keys').set({ revoked_at: new Date().toISOString() }).where('user_id', '=', user.id).execute()
  expect(await codeOf(fixture.credentials.exchange('session', session_secret))).toBe('NOT_AUTHENTICATED')
  expect(await codeOf(fixture.signIn.withApiKey(api_key, testCallContext()))).toBe('NOT_AUTHENTICATED')
})

test('signing out ends this session everywhere and no other', async () => {
  const [one, other] = [
    await fixture.signIn.withApiKey(ROOT_KEY, testCallContext()),
    await fixture.signIn.withApiKey(ROOT_KEY, testCallContext()),
  ]
  const caller = testCaller(one.user.id, { sid: one.session_id, is_root: true })
  await fixture.credentials.endSession(caller, testCallContext())
  await fixture.credentials.endSession(caller, testCallContext())
  expect(await codeOf(fixture.credentials.exchange('session', one.session_secret))).toBe('NOT_AUTHENTICATED')
  expect(await codeOf(fixture.credentials.exchange('session', other.session_secret))).toBe('ok')
  expect((await fixture.revocations.list()).map(({ sid }) => sid)).toEqual([one.session_id])
  await fixture.credentials.endSession(await fixture.root(), testCallContext())
  expect(await codeOf(fixture.credentials.exchange('api_key', ROOT_KEY))).toBe('ok')

  await fixture.db
    .updateTable('revocations')
    .set({ revoked_at: new Date(Date.now() - 20 * 60_000).toISOString() })
    .execute()
  expect(await fixture.revocations.list()).toEqual([])
})
