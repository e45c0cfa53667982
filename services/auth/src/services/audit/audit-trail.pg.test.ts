import type { AuditCheckpoint } from '@youworker/contracts/audit/audit-trail'
import { checkpointMac, entryMac, NO_ENTRIES, plainHash } from '@youworker/database/owners/auth/audit-chain'
import type { AuditRow, AuthTables } from '@youworker/database/owners/auth/tables'
import { verifyAudit } from '@youworker/database/owners/auth/verify-audit'
import { silentLogger } from '@youworker/runtime/logger'
import { newId } from '@youworker/runtime/id'
import { sql, type Updateable, type UpdateObject } from 'kysely'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { auditRing, openTestAuth, type TestAuth } from '../../test-fixture.ts'
import { AuditWriter } from './audit-writer.ts'

let fixture: TestAuth
beforeAll(async () => void (fixture = await openTestAuth()), 60_000)
afterAll(() => fixture[Symbol.asyncDispose]())

const ENTRIES = 20
const origin = (more: { id?: string; time?: string; source?: string } = {}) => ({
  id: newId(),
  time: new Date().toISOString(),
  source: 'group',
  ...more,
})
const entry = (n: number) =>
  ({
    actor_id: newId(),
    action: `act.${n}`,
    outcome: 'allowed',
    target_type: 'group',
    target_id: newId(),
    correlation_id: `c-${n}`,
    // Entries with odd numbers are of acts that nobody asked for.
    ...(n % 2 === 0 ? { address: '192.0.2.7', user_agent: 'curl/8' } : {}),
  }) as const
const newWriter = (ring = auditRing(1), now = Date.now) => new AuditWriter(fixture.uow, { ring, logger: silentLogger(), now })

/** Changes the trail without the triggers, as only an administrator of the database can. */
async function tamper(change: () => Promise<unknown>): Promise<void> {
  for (const table of ['audit_entries', 'audit_head'])
    await sql`alter table ${sql.table(table)} disable trigger all`.execute(fixture.admin)
  await change()
  for (const table of ['audit_entries', 'audit_head'])
    await sql`alter table ${sql.table(table)} enable trigger all`.execute(fixture.admin)
}
const set = (seq: number, values: UpdateObject<AuthTables, 'audit_entries'>) => () =>
  fixture.admin.updateTable('audit_entries').set(values).where('seq', '=', seq).execute()
const setHead = (values: Updateable<AuthTables['audit_head']>) => fixture.admin.updateTable('audit_head').set(values).execute()
const rowAt = (seq: number) =>
  fixture.admin.selectFrom('audit_entries').selectAll().where('seq', '=', seq).executeTakeFirstOrThrow()
const remove = (from: number, to = from) =>
  fixture.admin.deleteFrom('audit_entries').where('seq', '>=', from).where('seq', '<=', to).execute()
const insert = (rows: readonly AuditRow[]) =>
  fixture.admin
    .insertInto('audit_entries')
    .values([...rows])
    .execute()
const rows = () => fixture.db.selectFrom('audit_entries').selectAll().orderBy('seq').execute()

const verify = (options: Partial<Parameters<typeof verifyAudit>[0]> = {}) =>
  verifyAudit({
    ring: auditRing(1),
    read: (work) => fixture.uow.in([]).read(({ audit }) => work(audit)),
    ...options,
  })
const broken = async (options?: Parameters<typeof verify>[0]) => (await verify(options)).broken

/** What auth has published, as somebody keeps it outside of the database. */
async function checkpoints(): Promise<AuditCheckpoint[]> {
  const events = await fixture.db.selectFrom('outbox').select('data').where('subject', 'like', '%checkpointed').execute()
  return events.map(({ data }) => data as AuditCheckpoint)
}
const checkpointMap = async () => new Map((await checkpoints()).map(({ seq, hash }) => [seq, hash]))

async function empty(): Promise<void> {
  await tamper(async () => {
    await fixture.admin.deleteFrom('audit_entries').execute()
    await setHead({ ...NO_ENTRIES, key_version: null })
  })
  await fixture.db.deleteFrom('outbox').execute()
}

beforeEach(async () => {
  await empty()
  const writer = newWriter()
  await writer.begin()
  // With the one that begins the chain these are ENTRIES.
  await Promise.all(Array.from({ length: ENTRIES - 1 }, (_, n) => writer.record(entry(n), origin())))
})

test('entries of concurrent replicas form one chain, which begins with an entry of its own', async () => {
  const replicas = [newWriter(), newWriter(), newWriter()]
  await Promise.all(
    replicas.flatMap((writer, at) => Array.from({ length: 50 }, (_, n) => writer.record(entry(100 + 50 * at + n), origin()))),
  )
  const all = await rows()
  expect(all.map(({ seq }) => seq)).toEqual(Array.from({ length: ENTRIES + 150 }, (_, n) => n + 1))
  expect(new Set(all.map(({ action }) => action)).size).toBe(ENTRIES + 150)
  expect(all[0]).toMatchObject({ source: 'auth', action: 'audit.begin', target_id: '0', key_version: 1 })
  expect(await verify()).toMatchObject({ status: 'intact', checked: ENTRIES + 150, begins_at: 1 })
})

test('a repeated event is one entry, and no service keeps out another one by using its id', async () => {
  const again = origin()
  await Promise.all([newWriter(), newWriter(), newWriter()].map((writer) => writer.record(entry(99), again)))
  await newWriter().record(entry(99), again)
  await fixture.db.deleteFrom('inbox').execute()
  const writer = newWriter()
  await Promise.all([writer.record(entry(99), again), writer.record(entry(99), again)])
  expect((await rows()).filter(({ id }) => id === again.id)).toHaveLength(1)
  await writer.record(entry(99), { ...again, source: 'ingestion' })
  expect((await rows()).filter(({ id }) => id === again.id).map(({ source }) => source)).toEqual(['group', 'ingestion'])
  expect((await verify()).status).toBe('intact')
})

test('the time of an event is believed within 5 minutes of the clock of auth, and kept as a claim beyond', async () => {
  const now = Date.parse('2026-05-01T12:00:00.250Z')
  const writer = newWriter(auditRing(1), () => now)
  const recorded = async (time: string) => {
    const event = origin({ time })
    await writer.record(entry(1), event)
    const found = (await rows()).find(({ id }) => id === event.id)
    return [found?.occurred_at, found?.recorded_at, found?.claimed_at]
  }
  const here = '2026-05-01T12:00:00.250000Z'
  expect(await recorded('2026-05-01T11:55:00.250Z')).toEqual(['2026-05-01T11:55:00.250000Z', here, null])
  expect(await recorded('2026-05-01T14:05:00.25+02:00')).toEqual(['2026-05-01T12:05:00.250000Z', here, null])
  expect(await recorded('2026-05-01T11:55:00.249Z')).toEqual([here, here, '2026-05-01T11:55:00.249000Z'])
  expect(await recorded('2026-05-01T12:05:00.251Z')).toEqual([here, here, '2026-05-01T12:05:00.251000Z'])
  expect(await recorded('0000-01-01T00:00:00Z')).toEqual([here, here, '1970-01-01T00:00:00.000000Z'])
  expect(await recorded('9999-12-31T23:59:59Z')).toEqual([here, here, '9999-12-31T23:59:59.000000Z'])
  expect((await verify()).status).toBe('intact')
})

test('an entry that Postgres refuses does not keep out those that came with it', async () => {
  const writer = newWriter()
  const results = await Promise.allSettled(
    [1, 2, 3, 4, 5].map((n) => writer.record({ ...entry(n), target_id: n === 3 ? 'a\0b' : newId() }, origin())),
  )
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled', 'fulfilled'])
  expect(await verify()).toMatchObject({ status: 'intact', checked: ENTRIES + 4 })
})

const resealed = (row: AuditRow, ring = auditRing(9)): AuditRow => ({
  ...row,
  hash: entryMac(ring, { ...row, key_version: 9 }),
  key_version: 9,
})

// [what the owner of the database does, how, the first entry that is wrong]
test.each<[string, () => Promise<unknown>, number]>([
  ['another actor', set(7, { actor_id: newId() }), 7],
  ['no actor', set(7, { actor_id: null }), 7],
  ['another outcome', set(7, { outcome: 'denied' }), 7],
  ['another source', set(7, { source: 'auth' }), 7],
  ['another time', set(7, { occurred_at: '2020-01-01T00:00:00Z' }), 7],
  ['a time that is a microsecond later', set(7, { occurred_at: sql<string>`occurred_at + interval '1 microsecond'` }), 7],
  ['another time of recording', set(7, { recorded_at: sql<string>`recorded_at + interval '1 hour'` }), 7],
  ['an invented claim', set(7, { claimed_at: '2020-01-01T00:00:00Z' }), 7],
  ['another key number', set(7, { key_version: 2 }), 7],
  ['a moved border between two fields', set(7, { action: sql<string>`action || 'g'`, target_type: 'roup' }), 7],
  ['another address', set(8, { address: '192.0.2.8' }), 8],
  ['no address', set(8, { address: null }), 8],
  ['another client', set(8, { user_agent: 'curl/9' }), 8],
  ['neither address nor client', set(8, { address: null, user_agent: null }), 8],
  ['an invented address', set(7, { address: '192.0.2.8' }), 7],
  ['an invented client', set(7, { user_agent: 'curl/8' }), 7],
  ['a removed entry', () => remove(7), 7],
  ['a removed beginning', () => remove(1, 5), 1],
  ['a removed end', () => remove(16, ENTRIES), 16],
  [
    'a removed entry with those after it renumbered',
    async () => {
      await remove(7)
      await fixture.admin
        .updateTable('audit_entries')
        .set({ seq: sql`seq - 1` })
        .where('seq', '>', 7)
        .execute()
      await setHead({ seq: ENTRIES - 1 })
    },
    7,
  ],
  [
    'two entries that changed places',
    async () => {
      const [one, other] = [await rowAt(7), await rowAt(12)]
      await remove(7)
      await remove(12)
      await insert([
        { ...one, seq: 12 },
        { ...other, seq: 7 },
      ])
    },
    7,
  ],
  [
    'an entry that was removed and put back as another one',
    async () => {
      const row = await rowAt(7)
      await remove(7)
      await insert([{ ...row, action: 'nothing' }])
    },
    7,
  ],
  ['an entry sealed with a key of his own', async () => set(7, resealed({ ...(await rowAt(7)), action: 'nothing' }))(), 7],
  [
    'an entry that looks as from before the chain',
    async () => {
      const row = { ...(await rowAt(7)), action: 'nothing', key_version: null, recorded_at: null }
      await set(7, { ...row, hash: plainHash(row) })()
    },
    7,
  ],
  [
    'a last entry that was changed together with the head',
    async () => {
      const row = resealed({ ...(await rowAt(ENTRIES)), action: 'nothing' })
      await set(ENTRIES, row)()
      await setHead({ hash: row.hash })
    },
    ENTRIES,
  ],
  ['a head that names another hash', () => setHead({ hash: Buffer.alloc(32) }), ENTRIES],
  ['a head that names a later entry', () => setHead({ seq: ENTRIES + 1 }), ENTRIES + 1],
  ['a head that names an earlier entry', async () => setHead({ seq: 12, hash: (await rowAt(12)).hash }), 13],
  ['an entry behind the head', async () => insert([{ ...(await rowAt(7)), id: newId(), seq: ENTRIES + 1 }]), ENTRIES + 1],
  ['an entry before the first', async () => insert([{ ...(await rowAt(7)), id: newId(), seq: 0 }]), 0],
  [
    'a whole trail without a key in its place',
    async () => {
      let { hash } = NO_ENTRIES
      for (const row of await rows()) {
        const plain = { ...row, action: 'nothing', key_version: null, recorded_at: null, prev_hash: hash }
        hash = plainHash(plain)
        await set(row.seq, { ...plain, hash })()
      }
      await setHead({ hash, key_version: null })
    },
    ENTRIES + 1,
  ],
  [
    'an empty trail',
    async () => {
      await remove(1, ENTRIES)
      await setHead({ ...NO_ENTRIES, key_version: null })
    },
    1,
  ],
])('the owner of the database leaves %s: found', async (_what, change, seq) => {
  await tamper(change)
  expect(await verify()).toMatchObject({ status: 'broken', broken: { seq } })
})

const cutAt = (seq: number) => async () => {
  await remove(seq + 1, ENTRIES)
  const { hash, key_version } = await rowAt(seq)
  await setHead({ seq, hash, key_version })
}

test('an end that was cut off together with the head is found by checkpoints, by an earlier position and by who wrote it', async () => {
  const writer = newWriter()
  await writer.begin()
  const kept = await checkpointMap()
  const { position } = await verify({ checkpoints: kept })
  await tamper(cutAt(12))
  // The rest is a good chain: this is what checkpoints are for.
  expect(await verify()).toMatchObject({ status: 'intact', checked: 12 })
  expect(await broken({ checkpoints: kept })).toMatchObject({
    seq: 13,
    reason: expect.stringContaining(`knows entry ${ENTRIES}`),
  })
  expect(await broken({ after: position })).toMatchObject({ seq: ENTRIES, reason: 'the entry is missing' })
  expect(writer.end?.seq).toBe(ENTRIES)

  // The trail goes on, and is as long as before.
  const other = newWriter()
  for (let n = 12; n < ENTRIES; n += 1) await other.record(entry(n), origin())
  expect((await verify()).status).toBe('intact')
  expect(await broken({ checkpoints: kept })).toMatchObject({
    seq: expect.any(Number),
    reason: expect.stringContaining('checkpoint'),
  })
  expect(await broken({ after: position })).toMatchObject({ seq: ENTRIES, reason: 'it is not the entry that it was' })
})

test('every committed batch publishes a checkpoint that only a holder of the key can make', async () => {
  const published = await checkpoints()
  const all = new Map((await rows()).map((row) => [row.seq, row.hash.toString('hex')]))
  expect(Math.max(...published.map(({ seq }) => seq))).toBe(ENTRIES)
  for (const checkpoint of published) {
    expect(all.get(checkpoint.seq)).toBe(checkpoint.hash)
    expect(checkpointMac(auditRing(1), checkpoint).toString('hex')).toBe(checkpoint.mac)
  }
})

test('a process notices that the trail became shorter than it had seen it, and goes on recording', async () => {
  const errors: unknown[] = []
  const logger = { ...silentLogger(), info: () => {}, error: (fields: unknown) => void errors.push(fields) }
  const writer = new AuditWriter(fixture.uow, { ring: auditRing(1), logger: logger as never })
  await writer.record(entry(50), origin())
  expect(errors).toEqual([])
  await tamper(async () => {
    await remove(ENTRIES + 1)
    await cutAt(12)()
  })
  await writer.record(entry(51), origin())
  expect(errors).toEqual([expect.objectContaining({ known: expect.objectContaining({ seq: ENTRIES + 1 }) })])
  await writer.record(entry(52), origin())
  expect(errors).toHaveLength(1)
})

test('keys rotate: each entry is checked with the key that made it, and none goes back to an older one', async () => {
  await newWriter(auditRing(1, 2)).record(entry(30), origin())
  // A replica that was started before the new key: it waits, and takes the entry when it has the key.
  const waits = origin()
  await expect(newWriter(auditRing(1)).record(entry(31), waits)).rejects.toMatchObject({
    code: 'SERVICE_UNAVAILABLE',
    message: expect.stringContaining('SECURITY__AUDIT_KEY lacks key 2'),
  })
  await newWriter(auditRing(1, 2)).record(entry(31), waits)
  expect((await rows()).map(({ key_version }) => key_version).slice(-3)).toEqual([1, 2, 2])
  expect((await verify({ ring: auditRing(1, 2) })).status).toBe('intact')
  expect(await broken({ ring: auditRing(2) })).toEqual({
    seq: 1,
    reason: expect.stringMatching(/cannot be checked: SECURITY__AUDIT_KEY lacks key 1/),
  })
  // Somebody has the old key: entries made with it come before the newer ones or not at all.
  await tamper(async () => {
    const row = { ...(await rowAt(ENTRIES + 2)), action: 'nothing', key_version: 1 }
    const hash = entryMac(auditRing(1), row)
    await set(ENTRIES + 2, { ...row, hash })()
    await setHead({ hash, key_version: 1 })
  })
  expect(await broken({ ring: auditRing(1, 2) })).toMatchObject({
    seq: ENTRIES + 2,
    reason: expect.stringContaining('older key'),
  })
})

test('entries from before the chain stay; the chain begins behind them and keeps them as they were', async () => {
  await empty()
  await tamper(async () => {
    let { hash } = NO_ENTRIES
    for (let seq = 1; seq <= 5; seq += 1) {
      const { time: _, ...event } = origin()
      const times = { occurred_at: `2025-01-01T00:00:00.12${seq}000Z`, recorded_at: null, claimed_at: null }
      const client = { address: null, user_agent: null }
      const row = { ...entry(seq), ...client, ...event, ...times, seq, key_version: null, prev_hash: hash }
      hash = plainHash(row)
      await insert([{ ...row, hash }])
      await setHead({ seq, hash })
    }
  })
  expect(await broken()).toMatchObject({ reason: expect.stringContaining('no entry is chained with a key') })
  await Promise.all([newWriter().begin(), newWriter().begin(), newWriter().record(entry(6), origin())])
  expect(await verify()).toMatchObject({ status: 'intact', checked: 7, begins_at: 6 })
  expect((await rows())[5]).toMatchObject({ action: 'audit.begin', target_id: '5', key_version: 1 })
  await tamper(set(3, { occurred_at: sql<string>`occurred_at + interval '1 microsecond'` }))
  expect(await broken()).toMatchObject({ seq: 3 })
  await tamper(async () => {
    const row = await rowAt(3)
    await set(3, { hash: plainHash(row) })()
  })
  expect(await broken()).toMatchObject({ seq: 4 })
})

test('an entry without a client has the hash that versions before clients gave it', async () => {
  const row = {
    seq: 2,
    id: '01890000-0000-7000-8000-000000000001',
    occurred_at: '2026-01-02T03:04:05.000006Z',
    recorded_at: '2026-01-02T03:04:05.000007Z',
    claimed_at: null,
    source: 'group',
    actor_id: null,
    action: 'group.create',
    outcome: 'allowed',
    target_type: 'group',
    target_id: 'g',
    correlation_id: 'c',
    address: null,
    user_agent: null,
    key_version: 1,
    prev_hash: Buffer.alloc(32, 9),
  } as const
  expect(entryMac(auditRing(1), row).toString('hex')).toBe('8ecadf1a4eaece7cbe4666468e17c314c83930b8d41ea7b9560bd2c2a2c10eb2')
})

test('a long trail is verified in parts, and each part goes on where the last one ended', async () => {
  const writer = newWriter()
  await Promise.all(Array.from({ length: 1_300 }, (_, n) => writer.record(entry(n), origin())))
  let verdict = await verify({ isEnough: () => true })
  const parts = [verdict.checked]
  while (verdict.status === 'incomplete') {
    verdict = await verify({ isEnough: () => true, after: verdict.position })
    parts.push(verdict.checked)
  }
  expect(verdict).toMatchObject({ status: 'intact', position: { seq: ENTRIES + 1_300 } })
  expect(parts).toEqual([500, 500, 320])
})

// 42501: insufficient privilege; 57000: operator intervention.
const REFUSED = 'SQLSTATE 42501'
const appendDirectly = (row: unknown) => sql`select append_audit(${JSON.stringify([row])}::jsonb)`.execute(fixture.db)

test('the service itself can neither change nor remove an entry, nor move the head, nor append but behind it', async () => {
  const { db, admin } = fixture
  await expect(db.updateTable('audit_entries').set({ action: 'nothing' }).execute()).rejects.toThrow(REFUSED)
  await expect(db.deleteFrom('audit_entries').execute()).rejects.toThrow(REFUSED)
  await expect(sql`truncate audit_entries`.execute(db)).rejects.toThrow(REFUSED)
  await expect(admin.updateTable('audit_entries').set({ action: 'nothing' }).execute()).rejects.toThrow(REFUSED)
  // The version of auth before this function takes it for an outage, and its events wait.
  const isByFunction = { code: 'SERVICE_UNAVAILABLE', cause: { sqlstate: '57000' } }
  await expect(db.updateTable('audit_head').set({ seq: 3 }).execute()).rejects.toMatchObject(isByFunction)
  await expect(db.deleteFrom('audit_head').execute()).rejects.toMatchObject(isByFunction)
  const last = await rowAt(ENTRIES)
  const next = { ...last, id: newId(), seq: ENTRIES + 1, prev_hash: last.hash }
  await expect(db.insertInto('audit_entries').values(next).execute()).rejects.toMatchObject(isByFunction)
  await expect(sql`alter table audit_entries disable trigger all`.execute(db)).rejects.toThrow(REFUSED)
  await expect(sql`set role auth_owner`.execute(db)).rejects.toThrow(REFUSED)

  const hex = (bytes: Buffer) => `\\x${bytes.toString('hex')}`
  const good = { ...next, hash: hex(Buffer.alloc(32, 1)), prev_hash: hex(last.hash) }
  for (const bad of [
    { ...good, seq: ENTRIES },
    { ...good, seq: ENTRIES + 2 },
    { ...good, prev_hash: hex(Buffer.alloc(32)) },
    { ...good, key_version: null },
    { ...good, key_version: 0 },
    { ...good, hash: '\\x01' },
  ])
    await expect(appendDirectly(bad)).rejects.toThrow(REFUSED)
  // What it may append without the key is seen for what it is.
  await appendDirectly(good)
  expect(await broken()).toEqual({ seq: ENTRIES + 1, reason: 'it was changed' })
})

test('a temporary table of the service does not stand for the head', async () => {
  const last = await rowAt(ENTRIES)
  await fixture.uow.in([]).write(async ({ audit }) => {
    const trx = (audit as unknown as { db: typeof fixture.db }).db
    await sql`create temporary table audit_head on commit drop as select true as singleton, 3::bigint as seq, ${last.hash}::bytea as hash, 1 as key_version`.execute(
      trx,
    )
    await sql`select append_audit('[]'::jsonb)`.execute(trx)
    expect((await sql<{ seq: number }>`select seq from auth.audit_head`.execute(trx)).rows).toEqual([{ seq: ENTRIES }])
  })
  expect((await verify()).status).toBe('intact')
})
