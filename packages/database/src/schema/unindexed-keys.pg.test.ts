import { SCHEMAS } from '@youworker/contracts/topology/topology'
import { silentLogger } from '@youworker/runtime/logger'
import { testDatabase, testPassword } from '@youworker/test-kit/database'
import pg from 'pg'
import { expect, test } from 'vitest'
import { migrateAll } from './migrate.ts'
import { UNINDEXED_KEYS } from './unindexed-keys.ts'

test('every foreign key of every schema has an index that begins with it; one without is told', async () => {
  const [auth, group, ingestion, analytics] = [testPassword, testPassword, testPassword, testPassword]
  const passwords = { auth, group, 'chat-agent': testPassword, ingestion, analytics }
  const prepare = (adminUrl: string) => migrateAll({ adminUrl, passwords, logger: silentLogger() })
  await using database = await testDatabase({ template: 'database-all', prepare })
  const client = new pg.Client({ connectionString: database.adminUrl })
  await client.connect()
  try {
    const schemas = [...Object.values(SCHEMAS), 'planted']
    const unindexed = async () => (await client.query(UNINDEXED_KEYS, [schemas])).rows
    expect(await unindexed()).toEqual([])
    await client.query(`create schema planted; create table planted.owners (a int, b int, primary key (a, b));
      create table planted.things (a int, b int, c int, foreign key (a, b) references planted.owners);
      create index on planted.things (c, a, b); create index on planted.things (a); create index on planted.things (a, b) where c > 0`)
    const [key] = await unindexed()
    expect(key).toMatchObject({ table_name: 'planted.things' })
    await client.query('create index on planted.things (b, a)')
    expect(await unindexed()).toEqual([])
  } finally {
    await client.end()
  }
})
