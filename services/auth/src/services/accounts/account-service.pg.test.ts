import { testCallContext, testCaller } from '@youworker/messaging/requests/test-context'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openTestAuth, type TestAuth } from '../../test-fixture.ts'
import type { Caller } from '@youworker/messaging/requests/context'

let fixture: TestAuth
let root: Caller
beforeAll(async () => {
  fixture = await openTestAuth()
  root = await fixture.root()
}, 60_000)
afterAll(() => fixture[Symbol.asyncDispose]())

const callerOf = async (apiKey: string): Promise<Caller> => {
  const { user, sid } = await fixture.credentials.exchange('api_key', apiKey)
  return testCaller(user.id, { sid, is_root: user.is_root })
}

test('root creates an account; its key works, and is not stored', async () => {
  const made = await fixture.accounts.create({ username: 'Zoë', password: 'a good password' }, root, testCallContext())
  expect(made).toMatchObject({ username: 'Zoë', is_root: false })
  expect(made.api_key).toMatch(/^yw_[\w-]{43}$/)
  const zoe = await callerOf(made.api_key)
  expect(await fixture.accounts.get(zoe.user_id)).toEqual({
    id: made.id,
    username: 'Zoë',
    is_root: false,
    created_at: made.created_at,
  })
  const everything = await Promise.all(
    (['users', 'api_keys', 'outbox', 'idempotency'] as const).map((table) => fixture.db.selectFrom(table).selectAll().execute()),
  )
  expect(JSON.stringify(everything)).not.toContain(made.api_key.slice(3))
  expect(JSON.stringify(everything)).not.toContain('a good password')
})

test('other users are refused, and the attempt is audited', async () => {
  const { api_key } = await fixture.accounts.create({ username: 'mallory' }, root, testCallContext())
  const mallory = await callerOf(api_key)
  const from = testCallContext()
  await expect(fixture.accounts.create({ username: 'friend' }, mallory, from)).rejects.toMatchObject({ code: 'NOT_AUTHORIZED' })
  expect(await fixture.accounts.lookUp({ username: 'friend' })).toEqual([])
  const rows = await fixture.db.selectFrom('outbox').select('data').where('correlation_id', '=', from.correlationId).execute()
  expect(rows.map(({ data }) => data)).toEqual([
    {
      actor_id: mallory.user_id,
      action: 'user.create',
      outcome: 'denied',
      target_type: 'user',
      target_id: null,
      correlation_id: from.correlationId,
    },
  ])
})

test('usernames are unique regardless of case, also under concurrent requests', async () => {
  await expect(fixture.accounts.create({ username: 'ROOT' }, root, testCallContext())).rejects.toMatchObject({ code: 'CONFLICT' })
  const tries = ['eve', 'Eve', 'EVE', 'eVe'].map((username) => fixture.accounts.create({ username }, root, testCallContext()))
  const settled = await Promise.allSettled(tries)
  expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  expect(settled.filter((one) => one.status === 'rejected').map(({ reason }) => reason.code)).toEqual(Array(3).fill('CONFLICT'))
})

test('a repeat with the same idempotency key creates nothing and returns no API key', async () => {
  const from = () => testCallContext({ idempotencyKey: 'create-once' })
  await fixture.accounts.create({ username: 'once' }, root, from())
  await expect(fixture.accounts.create({ username: 'once' }, root, from())).rejects.toMatchObject({ code: 'CONFLICT' })
  await expect(fixture.accounts.create({ username: 'twice' }, root, from())).rejects.toMatchObject({
    code: 'IDEMPOTENCY_MISMATCH',
  })
  expect(await fixture.accounts.lookUp({ username: 'twice' })).toEqual([])
})

test('users are found by exact ids or one exact name', async () => {
  const { id } = await fixture.accounts.create({ username: 'Finn' }, root, testCallContext())
  expect(await fixture.accounts.lookUp({ username: 'finn' })).toEqual([{ id, username: 'Finn' }])
  expect(await fixture.accounts.lookUp({ user_ids: [id, '0199e000-0000-7000-8000-000000000001'] })).toEqual([
    { id, username: 'Finn' },
  ])
  for (const nothing of [{ username: 'fin' }, { username: 'a\0b' }, { username: '' }, { user_ids: [] }]) {
    expect(await fixture.accounts.lookUp(nothing)).toEqual([])
  }
})
