import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { silentLogger } from '@youworker/runtime/logger'
import { testDatabase, testPassword } from '@youworker/test-kit/database'
import { expect, test } from 'vitest'
import { migrateAll } from './migrate.ts'
import { dumpSchemas } from './schema-dump.ts'
import { allSchemas } from './all-schemas.ts'

const file = join(import.meta.dirname, '../../schema.sql')
const owners = Object.keys(allSchemas)
const passwords = {
  auth: testPassword,
  group: testPassword,
  'chat-agent': testPassword,
  ingestion: testPassword,
  analytics: testPassword,
}

test('schema.sql equals the dump of the migrated schemas (ACCEPT_SCHEMA=1 writes it)', async () => {
  const prepare = (adminUrl: string) => migrateAll({ adminUrl, passwords, logger: silentLogger() })
  await using database = await testDatabase({ template: 'database-all', prepare })
  const dump = await dumpSchemas(
    database.adminUrl,
    Object.values(allSchemas).map(({ schema }) => schema),
  )
  if (process.env['ACCEPT_SCHEMA'] === '1') await writeFile(file, dump)
  expect(owners).toHaveLength(5)
  expect(dump).toBe(await readFile(file, 'utf8'))
})
