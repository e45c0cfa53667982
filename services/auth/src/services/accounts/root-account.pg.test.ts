import { afterAll, beforeAll, expect, test } from 'vitest'
import { context, openTestAuth, ROOT_KEY, type TestAuth } from '../../test-fixture.ts'
import { RootAccount } from './root-account.ts'

let house: TestAuth
beforeAll(async () => void (house = await openTestAuth()), 60_000)
afterAll(() => house[Symbol.asyncDispose]())

const keyWorks = (key: string) =>
  house.credentials.exchange('api_key', key).then(
    ({ user }) => user.username,
    (error: { code: string }) => error.code,
  )

test('many replicas that start at once make one root with one key', async () => {
  await house.db.deleteFrom('users').execute()
  await Promise.all(Array.from({ length: 8 }, () => new RootAccount(house.uow, ROOT_KEY).ensure()))
  const roots = await house.db.selectFrom('users').selectAll().execute()
  expect(roots).toMatchObject([{ username: 'root', is_root: true, password_hash: null }])
  expect(await house.db.selectFrom('api_keys').select('revoked_at').execute()).toEqual([{ revoked_at: null }])
  expect(await keyWorks(ROOT_KEY)).toBe('root')
})

test('another key in the setting replaces the one before and ends what it signed in', async () => {
  const session = await house.signIn.withApiKey(ROOT_KEY, context())
  const old = await house.root()
  await Promise.all(Array.from({ length: 4 }, () => new RootAccount(house.uow, 'another-root-key').ensure()))

  expect(await keyWorks(ROOT_KEY)).toBe('NOT_AUTHENTICATED')
  expect(await keyWorks('another-root-key')).toBe('root')
  await expect(house.credentials.exchange('session', session.session_secret)).rejects.toMatchObject({ code: 'NOT_AUTHENTICATED' })
  const revoked = (await house.revocations.list()).map(({ sid }) => sid)
  expect(new Set(revoked)).toEqual(new Set([old.sid, session.session_id]))
  const told = await house.db.selectFrom('outbox').select('data').where('subject', 'like', '%revocation.added').execute()
  expect(new Set(told.map(({ data }) => data['sid']))).toEqual(new Set(revoked))

  await new RootAccount(house.uow, ROOT_KEY).ensure()
  expect(await keyWorks(ROOT_KEY)).toBe('root')
  expect(await keyWorks('another-root-key')).toBe('NOT_AUTHENTICATED')
})

test('it is not ready before it is done', async () => {
  const account = new RootAccount(house.uow, ROOT_KEY)
  await expect(account.check()).rejects.toThrow('root account')
  await account.ensure()
  await expect(account.check()).resolves.toBeUndefined()
})
