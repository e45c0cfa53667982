import { setTimeout as sleep } from 'node:timers/promises'
import { group } from '@youworker/contracts/group'
import { newId } from '@youworker/runtime/id'
import { testPassword } from '@youworker/test-kit/database'
import { sql } from 'kysely'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { isUniqueViolation } from './connection/database-error.ts'
import { roleUrl } from './schema/migrate.ts'
import { openDatabase } from './connection/open.ts'
import { type Fixture, noteDatabase, type NoteTables } from './test-fixture.ts'
import { silentLogger } from '@youworker/runtime/logger'

let fixture: Fixture
beforeAll(async () => {
  fixture = await noteDatabase()
})
afterAll(async () => {
  await fixture[Symbol.asyncDispose]()
})

const newNote = (space_id: string, text = 'text') => ({ id: newId(), space_id, text })

test('a read without a where sees the rows of its spaces and no others', async () => {
  const { uow } = fixture
  const [mine, ours, theirs] = [newId(), newId(), newId()]
  await uow.system().write(async ({ notes }) => {
    for (const [space, text] of [
      [mine, 'a'],
      [ours, 'b'],
      [theirs, 'c'],
    ] as const)
      await notes.add(newNote(space, text))
  })
  const texts = async (spaces: string[]) => (await uow.in(spaces).read(({ notes }) => notes.all())).map(({ text }) => text)
  expect(await texts([mine, ours])).toEqual(['a', 'b'])
  expect(await texts([theirs])).toEqual(['c'])
  expect(await texts([newId()])).toEqual([])
  expect(await texts([])).toEqual([])
  expect((await uow.system().read(({ notes }) => notes.all())).length).toBeGreaterThanOrEqual(3)
  const { rows } = await uow.in([theirs]).read(({ notes }) => notes.raw())
  expect(rows).toEqual([{ n: 1 }])
})

test('outside a unit of work no tenant row is visible, also right after one on the same connection', async () => {
  const { uow, url } = fixture
  await using database = openDatabase<NoteTables>({
    url,
    schema: 'group',
    poolSize: 1,
    slowQueryMs: 1_000,
    logger: silentLogger(),
  })
  const space = newId()
  await uow.in([space]).write(({ notes }) => notes.add(newNote(space)))
  await database.transact(space, 'read', ({ trx }) => trx.selectFrom('notes').selectAll().execute())
  expect(await database.kysely.selectFrom('notes').selectAll().execute()).toEqual([])
})

test('of statements that were sent together the one that failed gives the error, whichever is heard of first', async () => {
  const space = newId()
  const twice = newNote(space)
  const failed = fixture.uow.in([space]).write(async ({ notes }) => {
    await notes.add(twice)
    const failing = notes.add(twice).catch(async (error: unknown) => {
      await sleep(50)
      throw error
    })
    await Promise.all([failing, notes.raw()])
  })
  await expect(failed).rejects.toSatisfy((error: unknown) => isUniqueViolation(error))
})

test('row-level security also applies to the owner of the tables', async () => {
  const space = newId()
  await fixture.uow.in([space]).write(({ notes }) => notes.add(newNote(space)))
  const admin = new pg.Client({ connectionString: fixture.adminUrl })
  await admin.connect()
  await admin.query('set role group_owner')
  expect((await admin.query('select * from "group".notes')).rows).toEqual([])
  await admin.query(`set app.spaces = '${space}'`)
  expect((await admin.query('select * from "group".notes')).rows).toHaveLength(1)
  await admin.end()
})

test('a write into another space is refused, and the whole transaction rolled back', async () => {
  const { uow } = fixture
  const [mine, theirs] = [newId(), newId()]
  const write = uow.in([mine]).write(async ({ notes }) => {
    await notes.add(newNote(mine))
    await notes.add(newNote(theirs))
  })
  await expect(write).rejects.toMatchObject({ code: 'DATABASE_ERROR', cause: { sqlstate: '42501' } })
  expect(await uow.in([mine, theirs]).read(({ notes }) => notes.all())).toEqual([])
})

test('a read cannot write', async () => {
  const space = newId()
  const write = fixture.uow.in([space]).read(({ notes }) => notes.add(newNote(space)))
  await expect(write).rejects.toMatchObject({ cause: { sqlstate: '25006' } })
})

test('a space that is not a UUID never reaches SQL', () => {
  expect(() => fixture.uow.in([`*`])).toThrow(TypeError)
  expect(() => fixture.uow.in([`'; drop table notes; --`])).toThrow(TypeError)
})

test('a transaction with a swallowed error is not committed', async () => {
  const { uow } = fixture
  const space = newId()
  const write = uow.in([space]).write(async ({ notes }) => {
    await notes.add(newNote(space))
    await notes.fail().catch(() => {})
  })
  await expect(write).rejects.toMatchObject({ code: 'DATABASE_ERROR' })
  expect(await uow.in([space]).read(({ notes }) => notes.all())).toEqual([])
})

test('pipelined statements return their own results, before and after they are prepared', async () => {
  const { uow } = fixture
  const space = newId()
  const notes = Array.from({ length: 20 }, (_, i) => newNote(space, `note ${i}`))
  await uow.in([space]).write((repositories) => Promise.all(notes.map((note) => repositories.notes.add(note))))
  for (let round = 0; round < 5; round += 1) {
    const found = await uow.in([space]).read((repositories) => Promise.all(notes.map(({ id }) => repositories.notes.find(id))))
    expect(found.map((note) => note?.text)).toEqual(notes.map(({ text }) => text))
  }
})

test('a repository cannot be used after its unit of work', async () => {
  const { uow } = fixture
  const leaked = await uow.system().read(async ({ notes }) => notes)
  await expect(leaked.all()).rejects.toThrow(/unit of work/)
})

test('a unique violation is recognized, and no error contains a value', async () => {
  const { uow } = fixture
  const space = newId()
  const note = newNote(space, 'secret words')
  await uow.in([space]).write(({ notes }) => notes.add(note))
  const error = await uow
    .in([space])
    .write(({ notes }) => notes.add(note))
    .catch((caught: unknown) => caught)
  expect(isUniqueViolation(error)).toBe(true)
  expect(isUniqueViolation(error, 'notes_pkey')).toBe(true)
  expect(isUniqueViolation(error, 'other')).toBe(false)
  const bad = await uow
    .system()
    .read(({ notes }) => notes.find('not-a-uuid-but-secret'))
    .catch((caught: unknown) => caught)
  expect(JSON.stringify([error, bad, String(error), String((bad as Error).cause)])).not.toContain('secret')
})

test('times are returned as ISO strings of one length, big integers as numbers', async () => {
  const { rows } = await sql<{ at: string; n: number; times: string[]; none: null }>`
    select '2026-01-02 03:04:05.6+00'::timestamptz as at, 9007199254740991::int8 as n,
      array['2026-01-02 03:04:05+02'::timestamptz] as times, null::timestamptz as none`.execute(fixture.database.kysely)
  expect(rows).toEqual([
    { at: '2026-01-02T03:04:05.600000Z', n: 9_007_199_254_740_991, times: ['2026-01-02T01:04:05.000000Z'], none: null },
  ])
})

test('the outbox wakes its listeners after the commit, and not after a rollback', async () => {
  const { uow, database } = fixture
  let woken = 0
  using _listening = database.onOutbox(() => (woken += 1))
  const ids = { group_id: newId(), user_id: newId() }
  await expect(
    uow.system().write(async ({ outbox }) => {
      outbox.add(group.groupCreated, ids)
      throw new Error('no')
    }),
  ).rejects.toThrow('no')
  expect(woken).toBe(0)
  await uow.system().write(async ({ outbox }) => outbox.add(group.groupCreated, ids))
  expect(woken).toBe(1)
})

test('a service role is refused in other schemas, in DDL and as its own owner', async () => {
  const client = new pg.Client({ connectionString: roleUrl(fixture.adminUrl, 'auth', testPassword) })
  await client.connect()
  const refused = async (statement: string) =>
    expect([statement, await client.query(statement).catch((error: pg.DatabaseError) => error.code)]).toEqual([
      statement,
      '42501',
    ])
  await refused('select * from "group".notes')
  await refused('insert into "group".inbox (event_id) values (gen_random_uuid())')
  await refused('create table auth.mine (id int)')
  await refused('alter table auth.notes disable row level security')
  await refused('drop policy notes_spaces on auth.notes')
  await refused('truncate auth.notes')
  await refused('delete from auth.migrations')
  await refused('set role auth_owner')
  await refused('set role "group"')
  await client.end()
})

test('the check passes for a migrated schema, and says what to do otherwise', async () => {
  const { database, adminUrl, url } = fixture
  await database.check()
  const options = { schema: 'group', poolSize: 1, slowQueryMs: 1_000, logger: silentLogger() }
  await using newer = openDatabase({ ...options, url, migrations: ['0001-init', '0002-later'] })
  await expect(newer.check()).rejects.toThrow(/lacks 0002-later; run `npm run youworker -- migrate`/)
  await using admin = openDatabase({ ...options, url: adminUrl, migrations: [] })
  await expect(admin.check()).rejects.toThrow(/every tenant's rows/)
  await using away = openDatabase({ ...options, url: 'postgresql://x:y@127.0.0.1:1/z', migrations: [] })
  await expect(away.check()).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE', retryAfter: 2 })
})
