import { testCallContext } from '@youworker/messaging/requests/test-context'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openTestAuth, ROOT_KEY, type TestAuth } from '../../test-fixture.ts'
import { RootAccount } from './root-account.ts'

let fixture: TestAuth
beforeAll(async () => void (fixture = await openTestAuth()), 60_000)
afterAll(() => fixture[Symbol.asyncDispose]())

const keyWorks = (key: string) =>
  fixture.credentials.exchange('api_key', key).then(
    ({ user }) => user.username,
    (error: { code: string }) => error.code,
  )

test('replicas that start at the same time create one root account with one key', async () => {
  await fixture.db.deleteFrom('users').execute()
  await Promise.all(Array.from({ length: 8 }, () => new RootAccount(fixture.uow, ROOT_KEY).ensure()))
  const roots = await fixture.db.selectFrom('users').selectAll().execute()
  expect(roots).toMatchObject([{ username: 'root', is_root: true, password_hash: null }])
  expect(await fixture.db.selectFrom('api_keys').select('revoked_at').execute()).toEqual([{ revoked_at: null }])
  expect(await keyWorks(ROOT_KEY)).toBe('root')
})

test('a changed key in the setting replaces the previous one and ends its sessions', async () => {
  const session = await fixture.signIn.withApiKey(ROOT_KEY, testCallContext())
  const old = await fixture.root()
  await Promise.all(Array.from({ length: 4 }, () => new RootAccount(fixture.uow, 'another-root-key').ensure()))

  expect(await keyWorks(ROOT_KEY)).toBe('NOT_AUTHENTICATED')
  expect(await keyWorks('another-root-key')).toBe('root')
  await expect(fixture.credentials.exchange('session', session.session_secret)).rejects.toMatchObject({
    code: 'NOT_AUTHENTICATED',
  })
  const revoked = (await fixture.revocations.list()).map(({ sid }) => sid)
  expect(new Set(revoked)).toEqual(new Set([old.sid, session.session_id]))
  const events = await fixture.db.selectFrom('outbox').select('data').where('subject', 'like', '%revocation.added').execute()
  expect(new Set(events.map(({ data }) => data['sid']))).toEqual(new Set(revoked))

  await new RootAccount(fixture.uow, ROOT_KEY).ensure()
  expect(await keyWorks(ROOT_KEY)).toBe('root')
  expect(await keyWorks('another-root-key')).toBe('NOT_AUTHENTICATED')
})

test('the health check fails until the account is set up', async () => {
  const account = new RootAccount(fixture.uow, ROOT_KEY)
  await expect(account.check()).rejects.toThrow('root account')
  await account.ensure()
  await expect(account.check()).resolves.toBeUndefined()
})
