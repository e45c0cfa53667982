import { testCallContext, testCaller } from '@youworker/messaging/requests/test-context'
import { newId } from '@youworker/runtime/id'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openTestAuth, ROOT_KEY, type TestAuth } from '../../test-fixture.ts'
import { RootAccount } from '../accounts/root-account.ts'

let fixture: TestAuth
beforeAll(async () => void (fixture = await openTestAuth()), 60_000)
afterAll(() => fixture[Symbol.asyncDispose]())

async function newGrant() {
  const { user, session_id: sid } = await fixture.signIn.withApiKey(ROOT_KEY, testCallContext())
  const caller = testCaller(user.id, { sid, is_root: true })
  const run_id = newId()
  const grant_id = await fixture.grants.create(run_id, caller)
  return { caller, grant_id, run: { grant_id, run_id, user_id: user.id } }
}
const issue = (grantId: string) =>
  fixture.grants.issueToken(grantId).then(
    ({ token }) => decodeJwt(token),
    (error: { code: string }) => error.code,
  )
const hoursAgo = (hours: number) => new Date(Date.now() - hours * 3_600_000).toISOString()
const change = (id: string, values: { created_at?: string; expires_at?: string }) =>
  fixture.db.updateTable('grants').set(values).where('id', '=', id).execute()

test('a grant issues run tokens for its user and session', async () => {
  const { caller, grant_id, run } = await newGrant()
  expect(await issue(grant_id)).toMatchObject({
    aud: 'run',
    act: { sub: 'chat-agent' },
    sub: caller.user_id,
    sid: caller.sid,
    root: true,
  })
  expect(await fixture.grants.create(run.run_id, caller)).toBe(grant_id)
  expect(await issue(newId())).toBe('NOT_AUTHENTICATED')
})

test('of grants that are asked for at the same time each run has its own, and a repeated one is the same', async () => {
  const { caller } = await newGrant()
  const runs = Array.from({ length: 10 }, newId)
  const ids = await Promise.all([...runs, ...runs.slice(0, 3)].map((run) => fixture.grants.create(run, caller)))
  expect(new Set(ids).size).toBe(10)
  expect(ids.slice(10)).toEqual(ids.slice(0, 3))
  expect(await Promise.all(runs.map((run) => fixture.grants.create(run, caller)))).toEqual(ids.slice(0, 10))
})

test('it ends with the run', async () => {
  const { grant_id, run } = await newGrant()
  await fixture.grants.runStarted(newId(), run)
  await fixture.grants.runFinished(newId(), { ...run, user_id: newId() })
  expect(await issue(grant_id)).toMatchObject({ aud: 'run' })
  const event = newId()
  await fixture.grants.runFinished(event, run)
  await fixture.grants.runFinished(event, run)
  await fixture.grants.runStarted(newId(), run)
  expect(await issue(grant_id)).toBe('NOT_AUTHENTICATED')
})

test('it ends with the session, the key that opened the session, and after 7 days', async () => {
  const signedOut = await newGrant()
  await fixture.credentials.endSession(signedOut.caller, testCallContext())
  expect(await issue(signedOut.grant_id)).toBe('NOT_AUTHENTICATED')

  const old = await newGrant()
  const { expires_at } = await fixture.db
    .selectFrom('grants')
    .select('expires_at')
    .where('id', '=', old.grant_id)
    .executeTakeFirstOrThrow()
  expect(Math.round((Date.parse(expires_at) - Date.now()) / 86_400_000)).toBe(7)
  await change(old.grant_id, { expires_at: hoursAgo(0.01) })
  expect(await issue(old.grant_id)).toBe('NOT_AUTHENTICATED')

  const idle = await newGrant()
  await fixture.db
    .updateTable('sessions')
    .set({ last_used_at: hoursAgo(12.1) })
    .where('id', '=', idle.caller.sid)
    .execute()
  expect(await issue(idle.grant_id)).toBe('NOT_AUTHENTICATED')

  const bySession = await newGrant()
  const root = await fixture.root()
  const byKey = await fixture.grants.create(newId(), root)
  expect(await issue(byKey)).toMatchObject({ sid: root.sid })
  await new RootAccount(fixture.uow, 'the-key-that-follows').ensure()
  expect(await issue(byKey)).toBe('NOT_AUTHENTICATED')
  expect(await issue(bySession.grant_id)).toBe('NOT_AUTHENTICATED')
  await new RootAccount(fixture.uow, ROOT_KEY).ensure()
})

test('a grant is removed after an hour when its run never started, but not while it runs', async () => {
  const [abandoned, fresh, running] = [await newGrant(), await newGrant(), await newGrant()]
  await fixture.grants.runStarted(newId(), running.run)
  await change(abandoned.grant_id, { created_at: hoursAgo(1.1) })
  await change(running.grant_id, { created_at: hoursAgo(1.1) })
  await fixture.sweeper.sweep()
  expect(await issue(abandoned.grant_id)).toBe('NOT_AUTHENTICATED')
  expect(await issue(fresh.grant_id)).toMatchObject({ aud: 'run' })
  expect(await issue(running.grant_id)).toMatchObject({ aud: 'run' })
})
