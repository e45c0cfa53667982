import type { AuthTables } from '@youworker/database/owners/auth/tables'
import { newId } from '@youworker/runtime/id'
import { sql, type Updateable } from 'kysely'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { openTestAuth, type TestAuth } from '../../test-fixture.ts'
import { auditHash } from './audit-hash.ts'

let fixture: TestAuth
beforeAll(async () => void (fixture = await openTestAuth()), 60_000)
afterAll(() => fixture[Symbol.asyncDispose]())

const event = (id = newId()) => ({ id, time: new Date().toISOString(), source: 'group' })
const entry = (n: number) =>
  ({
    actor_id: newId(),
    action: `act.${n}`,
    outcome: 'allowed',
    target_type: 'group',
    target_id: newId(),
    correlation_id: `c-${n}`,
  }) as const

/** Changes entries without the trigger, as only an administrator of the database can. */
const tamper = async (change: () => Promise<unknown>) => {
  await sql`alter table audit_entries disable trigger all`.execute(fixture.admin)
  await change()
  await sql`alter table audit_entries enable trigger all`.execute(fixture.admin)
}
const set = (seq: number, values: Updateable<AuthTables['audit_entries']>) => () =>
  fixture.admin.updateTable('audit_entries').set(values).where('seq', '=', seq).execute()

beforeEach(async () => {
  await tamper(() => fixture.admin.deleteFrom('audit_entries').execute())
  await fixture.admin
    .updateTable('audit_head')
    .set({ seq: 0, hash: Buffer.alloc(32) })
    .execute()
  await Promise.all(Array.from({ length: 20 }, (_, n) => fixture.audit.record(entry(n), event())))
})

test('entries of concurrent writers form one chain', async () => {
  expect(await fixture.audit.verify()).toEqual({ intact: true, entries: 20 })
  const rows = await fixture.db.selectFrom('audit_entries').select(['seq', 'action']).orderBy('seq').execute()
  expect(rows.map(({ seq }) => seq)).toEqual(Array.from({ length: 20 }, (_, n) => n + 1))
  expect(new Set(rows.map(({ action }) => action)).size).toBe(20)
})

test('an event that is delivered twice, also concurrently, is one entry', async () => {
  const again = event()
  await Promise.all([1, 2, 3].map(() => fixture.audit.record(entry(99), again)))
  expect(await fixture.audit.verify()).toEqual({ intact: true, entries: 21 })
})

test.each([
  ['another actor', set(7, { actor_id: newId() }), 7],
  ['no actor', set(7, { actor_id: null }), 7],
  ['another outcome', set(7, { outcome: 'denied' }), 7],
  ['another time', set(7, { occurred_at: '2020-01-01T00:00:00Z' }), 7],
  [
    'a moved border between two fields',
    async () => {
      await fixture.admin
        .updateTable('audit_entries')
        .set({ action: sql`action || 'g'`, target_type: 'roup' })
        .where('seq', '=', 7)
        .execute()
    },
    7,
  ],
  ['a removed entry', () => fixture.admin.deleteFrom('audit_entries').where('seq', '=', 7).execute(), 7],
  ['a removed end', () => fixture.admin.deleteFrom('audit_entries').where('seq', '>', 15).execute(), 16],
  [
    'an entry changed together with its hash',
    async () => {
      const row = await fixture.admin.selectFrom('audit_entries').selectAll().where('seq', '=', 7).executeTakeFirstOrThrow()
      const changed = { ...row, action: 'nothing' }
      await set(7, { action: 'nothing', hash: auditHash(changed) })()
    },
    8,
  ],
  [
    'a last entry changed together with its hash',
    async () => {
      const row = await fixture.admin.selectFrom('audit_entries').selectAll().where('seq', '=', 20).executeTakeFirstOrThrow()
      await set(20, { action: 'nothing', hash: auditHash({ ...row, action: 'nothing' }) })()
    },
    20,
  ],
])('the chain shows %s', async (_what, change, seq) => {
  await tamper(change)
  expect(await fixture.audit.verify()).toMatchObject({ intact: false, seq })
})

// 42501: insufficient privilege.
const refused = 'SQLSTATE 42501'

test('the service itself can neither change nor remove an entry', async () => {
  await expect(fixture.db.updateTable('audit_entries').set({ action: 'nothing' }).execute()).rejects.toThrow(refused)
  await expect(fixture.db.deleteFrom('audit_entries').execute()).rejects.toThrow(refused)
  await expect(sql`truncate audit_entries`.execute(fixture.db)).rejects.toThrow(refused)
  await expect(fixture.admin.updateTable('audit_entries').set({ action: 'nothing' }).execute()).rejects.toThrow(refused)
  expect(await fixture.audit.verify()).toEqual({ intact: true, entries: 20 })
})
