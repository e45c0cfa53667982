import { silentLogger } from '@youworker/runtime/logger'
import { testDatabase, testPassword } from '@youworker/test-kit/database'
import { type Kysely, sql } from 'kysely'
import pg from 'pg'
import { expect, test } from 'vitest'
import { migrateDefinition, roleUrl } from './migrate.ts'
import { defineSchema } from './schema-definition.ts'
import { tenantTable } from './system-tables.ts'

const logger = silentLogger()
const empty = () => testDatabase({ template: 'database-empty', prepare: async () => {} })

const init = async (db: Kysely<unknown>) => {
  await sql`create table things (id int primary key, space_id uuid not null default gen_random_uuid(), label text)`.execute(db)
  await tenantTable(db, 'things')
}
const first = { '0001-init': { up: init } }
const second = {
  ...first,
  '0002-label': { up: async (db: Kysely<unknown>) => void (await sql`update things set label = 'seen'`.execute(db)) },
}
const broken = {
  ...first,
  '0002-broken': { up: async (db: Kysely<unknown>) => void (await sql`create table half (id int); select 1 / 0`.execute(db)) },
}

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(text)).rows
  } finally {
    await client.end()
  }
}

test('two databases of one cluster and two replicas migrate at the same time', async () => {
  await using left = await empty()
  await using right = await empty()
  const schema = defineSchema({ owner: 'analytics', migrations: first })
  const migrate = (adminUrl: string) => migrateDefinition(schema, { adminUrl, password: testPassword, logger })
  await Promise.all([left, left, right, right, left, right].map(({ adminUrl }) => migrate(adminUrl)))
  for (const { adminUrl } of [left, right]) {
    const url = roleUrl(adminUrl, 'analytics', testPassword)
    expect(await query(url, 'select name from analytics.migrations')).toEqual([{ name: '0001-init' }])
    const [table] = await query(
      adminUrl,
      `select tableowner, rowsecurity from pg_tables where schemaname = 'analytics' and tablename = 'things'`,
    )
    expect(table).toEqual({ tableowner: 'analytics_owner', rowsecurity: true })
  }
  const roles = await query(
    left.adminUrl,
    `select rolname, rolcanlogin, rolsuper, rolbypassrls from pg_roles where rolname like 'analytics%' order by 1`,
  )
  expect(roles).toEqual([
    { rolname: 'analytics', rolcanlogin: true, rolsuper: false, rolbypassrls: false },
    { rolname: 'analytics_owner', rolcanlogin: false, rolsuper: false, rolbypassrls: false },
  ])
})

test('a later migration sees the rows of every space; a failed one changes nothing and can be corrected', async () => {
  await using database = await empty()
  const migrate = (migrations: Record<string, { up(db: Kysely<unknown>): Promise<void> }>) =>
    migrateDefinition(defineSchema({ owner: 'analytics', migrations }), {
      adminUrl: database.adminUrl,
      password: testPassword,
      logger,
    })
  await migrate(first)
  await query(database.adminUrl, `insert into analytics.things (id) values (1), (2)`)
  await expect(migrate(broken)).rejects.toMatchObject({ cause: { sqlstate: '22012' } })
  expect(await query(database.adminUrl, `select to_regclass('analytics.half') as half`)).toEqual([{ half: null }])
  await migrate(second)
  expect(await query(database.adminUrl, 'select distinct label from analytics.things')).toEqual([{ label: 'seen' }])
  // The previous version of the code migrates the same database again.
  await migrate(first)
  expect(await query(database.adminUrl, 'select count(*)::int as n from analytics.migrations')).toEqual([{ n: 2 }])
})

test('a new password replaces the old one, also with special characters', async () => {
  await using database = await empty()
  // Its own role, because roles belong to the whole cluster, and other tests log in with theirs at the same time.
  const schema = { ...defineSchema({ owner: 'analytics', migrations: first }), schema: 'password_test' }
  const login = (password: string) => {
    const url = new URL(roleUrl(database.adminUrl, 'analytics', password))
    url.username = schema.schema
    return query(url.href, 'select current_user::text as me')
  }
  const odd = `it's\\"%20@:/$$`
  await migrateDefinition(schema, { adminUrl: database.adminUrl, password: odd, logger })
  expect(await login(odd)).toEqual([{ me: 'password_test' }])
  await migrateDefinition(schema, { adminUrl: database.adminUrl, password: testPassword, logger })
  await expect(login(odd)).rejects.toMatchObject({ code: '28P01' })
})
