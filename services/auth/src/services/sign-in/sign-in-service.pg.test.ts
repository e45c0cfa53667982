import type { SignInClient } from '@youworker/contracts/auth'
import type { AppError } from '@youworker/contracts/errors'
import { testCallContext, testCaller } from '@youworker/messaging/requests/test-context'
import { sql } from 'kysely'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { openTestAuth, ROOT_KEY, type TestAuth, signInAsGateway, testClient } from '../../test-fixture.ts'
import { sha256Hex } from '@youworker/runtime/secret'
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

describe('failed sign-ins', () => {
  afterEach(() => fixture.db.deleteFrom('sign_in_failures').execute())

  let addresses = 0
  const newAddress = () => `198.51.100.${++addresses}`
  const deviceOf = (name: string) => ({ device_sha256: sha256Hex(name) })
  const tryAs = (username: string, password: string, client: Partial<SignInClient> = {}, signIn = fixture.signIn) =>
    codeOf(
      signIn.withPassword(username, password, testCallContext(), testClient({ ...deviceOf(crypto.randomUUID()), ...client })),
    )
  const times = async (count: number, attempt: () => Promise<string>) => {
    const outcomes: string[] = []
    for (let n = 0; n < count; n += 1) outcomes.push(await attempt())
    return outcomes
  }
  const refusal = async (username: string, client: Partial<SignInClient>) => {
    const attempt = fixture.signIn.withPassword(username, 'a good password', testCallContext(), testClient(client))
    return (await attempt.catch((error: unknown) => error)) as AppError
  }
  /** As if so much time had passed since the last failure. */
  const pass = (seconds: number) =>
    fixture.db
      .updateTable('sign_in_failures')
      .set({
        last_failed_at: sql<string>`last_failed_at - make_interval(secs => ${seconds})`,
        blocked_until: sql<string>`blocked_until - make_interval(secs => ${seconds})`,
      })
      .execute()

  /** Lets what is blocked stay so, however slow this machine is. */
  const hold = () =>
    fixture.db
      .updateTable('sign_in_failures')
      .set({ blocked_until: sql<string>`now() + interval '1 hour'` })
      .where('blocked_until', 'is not', null)
      .execute()
  const wrong = (count: number) => Array(count).fill('NOT_AUTHENTICATED')
  const blocked = (count: number) => Array(count).fill('RATE_LIMIT_EXCEEDED')

  test('of one client block it for this name, for longer each time, on every replica; nobody else', async () => {
    const replica = signInAsGateway(
      new SignInService(fixture.uow, createHashLimit({ running: 2, waiting: 64, waitMs: 60_000 }), fixture.apiKeys),
    )
    const address = newAddress()
    let turn = 0
    const guess = () => tryAs(++turn % 2 ? 'bob' : 'BOB', 'guess', { address }, turn % 2 ? replica : fixture.signIn)
    expect(await times(4, guess)).toEqual(wrong(4))
    const waits: number[] = []
    for (let n = 0; n < 9; n += 1) {
      expect(await guess()).toBe('NOT_AUTHENTICATED')
      const { seconds } = await fixture.db
        .selectFrom('sign_in_failures')
        .select(sql<number>`max(extract(epoch from blocked_until - last_failed_at))::int`.as('seconds'))
        .executeTakeFirstOrThrow()
      waits.push(seconds)
      await hold()
      expect([await guess(), await tryAs('bob', 'a good password', { address })]).toEqual(blocked(2))
      await pass(3_600)
      await fixture.db
        .updateTable('sign_in_failures')
        .set({ last_failed_at: sql<string>`now()` })
        .execute()
    }
    expect(waits).toEqual([10, 20, 40, 80, 160, 320, 640, 900, 900])

    expect(await guess()).toBe('NOT_AUTHENTICATED')
    const { retryAfter = 0 } = await refusal('bob', { address })
    expect(retryAfter).toBeLessThanOrEqual(900)
    await pass(retryAfter - 120)
    expect(await tryAs('bob', 'a good password', { address })).toBe('RATE_LIMIT_EXCEEDED')
    expect(await tryAs('carol', 'a good password', { address })).toBe('ok')
    expect(await tryAs('bob', 'a good password', { address: newAddress() })).toBe('ok')
    await pass(120)
    expect(await tryAs('bob', 'a good password', { address })).toBe('ok')
    expect(await times(4, guess)).toEqual(wrong(4))
  })

  test('of many strangers block only strangers: a known device and a known address sign in', async () => {
    const [home, office] = [newAddress(), newAddress()]
    expect(await tryAs('bob', 'a good password', { address: home, ...deviceOf('laptop') })).toBe('ok')
    const attack = (name: string, device: string) => tryAs(name, 'guess', { address: newAddress(), ...deviceOf(device) })
    expect(await times(20, () => attack('bob', `bot ${addresses}`))).toEqual(wrong(20))
    await hold()
    expect(await times(5, () => attack('bob', `bot ${addresses}`))).toEqual(blocked(5))
    expect(await tryAs('bob', 'a good password', { address: newAddress(), ...deviceOf('other') })).toBe('RATE_LIMIT_EXCEEDED')

    expect(await tryAs('bob', 'a good password', { address: newAddress(), ...deviceOf('laptop') })).toBe('ok')
    expect(await tryAs('bob', 'a good password', { address: home, ...deviceOf('other') })).toBe('ok')
    // The same device is unknown for anybody else, and an attacker at a known address is bounded there too.
    expect(await times(20, () => attack('carol', 'laptop'))).toEqual(wrong(20))
    await hold()
    expect(await tryAs('carol', 'a good password', { address: office, ...deviceOf('laptop') })).toBe('RATE_LIMIT_EXCEEDED')
    const atHome = () => tryAs('bob', 'guess', { address: home, ...deviceOf('not mine') })
    expect(await times(5, atHome)).toEqual(wrong(5))
    await hold()
    expect(await atHome()).toBe('RATE_LIMIT_EXCEEDED')
    expect(await tryAs('bob', 'a good password', { address: home, ...deviceOf('laptop') })).toBe('ok')
  })

  test('on a known device are bounded too', async () => {
    const attempt = (password: string) => tryAs('bob', password, { address: newAddress(), ...deviceOf('phone') })
    expect(await attempt('a good password')).toBe('ok')
    expect(await times(5, () => attempt('guess'))).toEqual(wrong(5))
    await hold()
    expect(await times(2, () => attempt('a good password'))).toEqual(blocked(2))
    await pass(3_600)
    expect(await attempt('a good password')).toBe('ok')
    expect(await times(4, () => attempt('guess'))).toEqual(wrong(4))
  })

  test('of one address with many names block that address for names that are not known there', async () => {
    const address = newAddress()
    expect(await tryAs('bob', 'a good password', { address })).toBe('ok')
    let names = 0
    const spray = () => tryAs(`nobody-${++names}`, 'guess', { address })
    expect(await times(100, spray)).toEqual(wrong(100))
    await hold()
    expect(await times(2, spray)).toEqual(blocked(2))
    expect(await tryAs('carol', 'a good password', { address })).toBe('RATE_LIMIT_EXCEEDED')
    expect(await tryAs('carol', 'a good password', { address: newAddress() })).toBe('ok')
    expect(await tryAs('bob', 'a good password', { address })).toBe('ok')
  })

  test('block a name that nobody has like one that somebody has', async () => {
    for (const name of ['nobody-at-all', 'carol']) {
      const byStrangers = () => tryAs(name, 'guess', { address: newAddress() })
      expect(await times(20, byStrangers)).toEqual(wrong(20))
      await hold()
      expect(await byStrangers()).toBe('RATE_LIMIT_EXCEEDED')
    }
  })

  test('sent at once exceed the limit only by those that run at once', async () => {
    const address = newAddress()
    const outcomes = await Promise.all(Array.from({ length: 40 }, () => tryAs('carol', 'guess', { address })))
    const tried = outcomes.filter((outcome) => outcome === 'NOT_AUTHENTICATED').length
    expect(tried).toBeGreaterThanOrEqual(5)
    expect(tried).toBeLessThanOrEqual(6)
  })

  test('by key block wrong keys of that address, never a right key or a password, and are audited up to a limit', async () => {
    const before = (await audited('denied')).length
    const address = newAddress()
    const withKey = (key: string, from = address) =>
      codeOf(fixture.signIn.withApiKey(key, testCallContext(), testClient({ address: from })))
    expect(await times(100, () => withKey('yw_wrong'))).toEqual(wrong(100))
    await hold()
    expect(await times(3, () => withKey('yw_wrong'))).toEqual(blocked(3))
    expect((await audited('denied')).length - before).toBe(20)
    expect(await withKey('yw_wrong', newAddress())).toBe('NOT_AUTHENTICATED')
    expect(await withKey(ROOT_KEY)).toBe('ok')
    expect(await tryAs('carol', 'a good password', { address })).toBe('ok')
  })

  test('are forgotten an hour after the last one, known clients after a month or half a year', async () => {
    expect(await tryAs('carol', 'guess', { address: newAddress() })).toBe('NOT_AUTHENTICATED')
    const rows = async (table: 'sign_in_failures' | 'known_clients') =>
      (await fixture.db.selectFrom(table).selectAll().execute()).length
    await fixture.sweeper.sweep()
    expect(await rows('sign_in_failures')).toBe(3)
    await pass(3_601)
    await fixture.sweeper.sweep()
    expect(await rows('sign_in_failures')).toBe(0)

    const kinds = async () =>
      new Set((await fixture.db.selectFrom('known_clients').select('kind').execute()).map((row) => row.kind))
    const age = (days: number) =>
      fixture.db
        .updateTable('known_clients')
        .set({ last_used_at: sql<string>`now() - make_interval(days => ${days})` })
        .execute()
    await age(29)
    await fixture.sweeper.sweep()
    expect(await kinds()).toEqual(new Set(['device', 'address']))
    await age(31)
    await fixture.sweeper.sweep()
    expect(await kinds()).toEqual(new Set(['device']))
    await age(181)
    await fixture.sweeper.sweep()
    expect(await kinds()).toEqual(new Set())
  })
})

test('a user has a bounded number of known devices, and those that came back stay', async () => {
  const { id } = await fixture.accounts.create(
    { username: 'erin', password: 'a good password' },
    await fixture.root(),
    testCallContext(),
  )
  const signIn = (n: number, device: string) =>
    fixture.signIn.withPassword(
      'erin',
      'a good password',
      testCallContext(),
      testClient({ address: `203.0.113.${n}`, device_sha256: sha256Hex(device) }),
    )
  await signIn(1, 'laptop')
  await signIn(1, 'laptop')
  for (let n = 2; n < 30; n += 1) await signIn(n, `script ${n}`)
  const known = await fixture.db.selectFrom('known_clients').selectAll().where('user_id', '=', id).execute()
  const devices = known.filter(({ kind }) => kind === 'device').map(({ hash }) => hash.toString('hex'))
  expect(devices).toHaveLength(21)
  expect(devices).toContain(sha256Hex('laptop'))
  expect(devices).toContain(sha256Hex('script 29'))
  expect(known.filter(({ kind }) => kind === 'address')).toHaveLength(21)
  expect(JSON.stringify(known)).not.toContain('203.0.113')
})

test('a new session ends the one that the same browser had, and no other', async () => {
  const as = (old?: string) =>
    fixture.signIn.withPassword(
      'Ada',
      'a good password',
      testCallContext(),
      testClient(old === undefined ? {} : { old_session_sha256: sha256Hex(old) }),
    )
  const [first, elsewhere] = [await as(), await as()]
  const second = await as(first.session_secret)
  const works = ({ session_secret }: { session_secret: string }) =>
    codeOf(fixture.credentials.exchange('session', session_secret))
  expect(await Promise.all([first, second, elsewhere].map(works))).toEqual(['NOT_AUTHENTICATED', 'ok', 'ok'])
  expect((await fixture.revocations.list()).map(({ sid }) => sid)).toEqual([first.session_id])
  const refused = fixture.signIn.withPassword(
    'Ada',
    'wrong',
    testCallContext(),
    testClient({ old_session_sha256: sha256Hex(second.session_secret) }),
  )
  expect(await codeOf(refused)).toBe('NOT_AUTHENTICATED')
  expect(await works(second)).toBe('ok')
  await fixture.db.deleteFrom('revocations').execute()
})

test('many concurrent right passwords all succeed', async () => {
  const outcomes = await Promise.all(
    Array.from({ length: 30 }, () => codeOf(fixture.signIn.withPassword('Ada', 'a good password', testCallContext()))),
  )
  expect(outcomes).toEqual(Array(30).fill('ok'))
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
