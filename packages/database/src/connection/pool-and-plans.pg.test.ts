import { setTimeout as sleep } from 'node:timers/promises'
import { inRequest } from '@youworker/runtime/current-request'
import { newId } from '@youworker/runtime/id'
import { createLogger } from '@youworker/runtime/logger'
import { testPassword } from '@youworker/test-kit/database'
import { waitFor } from '@youworker/test-kit/wait-for'
import { sql } from 'kysely'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { roleUrl } from '../schema/migrate.ts'
import { type Fixture, noteDatabase, type NoteTables } from '../test-fixture.ts'
import { openDatabase } from './open.ts'

let fixture: Fixture
beforeAll(async () => void (fixture = await noteDatabase()))
afterAll(() => fixture?.[Symbol.asyncDispose]())

function open(settings: { poolSize: number; maxOverflow?: number; slowQueryMs: number }) {
  const lines: Record<string, unknown>[] = []
  const logger = createLogger({ name: 'group', level: 'debug', write: (line) => void lines.push(JSON.parse(line)) })
  const url = roleUrl(fixture.adminUrl, 'group', testPassword)
  const database = openDatabase<NoteTables>({ ...settings, url, schema: 'group', logger, migrations: ['0001-init'] })
  const said = (message: RegExp) => lines.filter((line) => message.test(String(line['message'])))
  return { database, said, [Symbol.asyncDispose]: () => database[Symbol.asyncDispose]() }
}

test('a slow query is logged with its request and then with its plan, without parameters, once a minute', async () => {
  await using opened = open({ poolSize: 2, slowQueryMs: 1 })
  const { database, said } = opened
  const space = newId()
  const find = () =>
    inRequest({ correlationId: 'slow-1', traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` }, () =>
      database.transact(space, 'read', ({ trx }) =>
        sql`select notes.id, pg_sleep(0.01) from notes right join (select 1) as one on text = ${'what a user wrote'}`.execute(
          trx,
        ),
      ),
    )
  for (let n = 0; n < 3; n += 1) await find()
  const [slow] = said(/^slow query$/)
  expect(said(/^slow query$/)).toHaveLength(3)
  expect(slow).toMatchObject({
    level: 'WARNING',
    sql: expect.stringMatching(/text = \$1$/),
    correlation_id: 'slow-1',
    trace_id: 'a'.repeat(32),
  })
  await waitFor(() => said(/^plan of a slow query$/).length > 0, { what: 'the plan' })
  // Row-level security is part of it, as of the query itself.
  expect(said(/^plan/)[0]).toMatchObject({
    correlation_id: 'slow-1',
    plan: expect.stringMatching(/Join[\s\S]*Scan on notes[\s\S]*text = \$1/),
  })
  await find()
  await sleep(500)
  expect(said(/^plan/)).toHaveLength(1)
  expect(JSON.stringify(said(/./))).not.toContain('what a user wrote')
})

test('a slow change is explained without being made, and what cannot be explained harms nothing', async () => {
  await using opened = open({ poolSize: 2, slowQueryMs: 1 })
  const { database, said } = opened
  const space = newId()
  await database.transact(space, 'write', async ({ trx }) => {
    await sql`insert into notes (id, space_id, text) select ${newId()}, ${space}, 'x' from pg_sleep(0.01)`.execute(trx)
    await sql`do 'begin perform pg_sleep(0.01); end'`.execute(trx)
  })
  await waitFor(() => said(/^plan/).length > 0 || said(/could not be explained/).length > 0, { what: 'the plan' })
  expect(said(/^plan/)[0]).toMatchObject({ plan: expect.stringContaining('Insert on notes') })
  const all = await database.transact(space, 'read', ({ trx }) => trx.selectFrom('notes').selectAll().execute())
  expect(all).toHaveLength(1)
})

test('overflow serves bursts and is closed afterwards; nearly all in use is a warning and a restriction', async () => {
  await using opened = open({ poolSize: 1, maxOverflow: 3, slowQueryMs: 60_000 })
  const { database, said } = opened
  const release = Promise.withResolvers<void>()
  const busy = (count: number) => Array.from({ length: count }, () => database.transact('*', 'read', async () => release.promise))
  const held = busy(2)
  await expect.poll(() => database.checkUse()).toEqual({ note: '2 of 4 connections in use, 0 waits for one' })
  expect(said(/nearly all connections/)).toEqual([])
  const all = [...held, ...busy(2)]
  await expect.poll(() => database.checkUse()).toMatch(/^4 of 4 connections in use, 0 waits for one; raise DATABASE__POOL_SIZE/)
  expect(said(/nearly all connections/)).toHaveLength(1)
  release.resolve()
  await Promise.all(all)
  const connections = async () => {
    const { rows } = await sql<{ n: number }>`
      select count(*)::int as n from pg_stat_activity where application_name = 'youworker group' and datname = current_database()`.execute(
      fixture.database.system,
    )
    return rows[0]?.n
  }
  // One of this pool, and one of the fixture's own that asks.
  await waitFor(async () => (await connections()) === 2, { what: 'the end of the overflow', timeoutMs: 30_000 })
})

test('a Postgres that takes no more connections costs the overflow, and nothing of what is there', async () => {
  await using opened = open({ poolSize: 1, maxOverflow: 5, slowQueryMs: 60_000 })
  const { database } = opened
  const name = new URL(fixture.adminUrl).pathname.slice(1)
  const limit = (count: number) => asAdmin(`alter database "${name}" connection limit ${count}`)
  const release = Promise.withResolvers<void>()
  const held = database.transact('*', 'read', async () => release.promise)
  await expect.poll(() => database.checkUse()).toEqual({ note: '1 of 6 connections in use, 0 waits for one' })
  await limit(0)
  const more = () => database.transact('*', 'read', async () => 'read')
  await expect(more()).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE', message: expect.stringContaining('busy') })
  // Who waits meanwhile gets the one connection that there is.
  const waiting = Array.from({ length: 7 }, () => more())
  await sleep(500)
  release.resolve()
  await held
  expect(await Promise.all(waiting)).toEqual(waiting.map(() => 'read'))
  await limit(-1)
})

async function asAdmin(statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: fixture.adminUrl })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}
