import { silentLogger } from '@youworker/runtime/logger'
import { testDatabase, testPassword } from '@youworker/test-kit/database'
import pg from 'pg'
import { expect, test } from 'vitest'
import { migrateDefinition } from '../../schema/migrate.ts'
import { ingestionSchema } from './schema.ts'

test('tags from before are case-folded, each once and in its place, in runs and documents of every space', async () => {
  await using database = await testDatabase({ template: 'database-empty', prepare: async () => {} })
  const migrate = (upTo: string) =>
    migrateDefinition(
      {
        ...ingestionSchema,
        migrations: Object.fromEntries(Object.entries(ingestionSchema.migrations).filter(([name]) => name <= upTo)),
      },
      { adminUrl: database.adminUrl, password: testPassword, logger: silentLogger() },
    )
  await migrate('0003')
  const client = new pg.Client({ connectionString: database.adminUrl })
  await client.connect()
  try {
    const written = [['Straße', 'ÄRGER', 'news', 'News', 'A\u0308rger'], [], ['plain']]
    // A document is more than its tags; here it needs no file.
    await client.query('set session_replication_role = replica')
    for (const tags of written) {
      await client.query(
        `insert into ingestion.runs (id, space_id, user_id, target_space_id, tags, is_private)
          select gen_random_uuid(), id, id, id, $1, false from (select gen_random_uuid() as id) as space`,
        [tags],
      )
      await client.query(
        `insert into ingestion.documents (id, space_id, user_id, path, path_hash, uri, title, mime, bytes_size, source, tags, is_private,
            blob_id, sha256, pipeline, generation, chunk_count)
          select id, id, id, 'p', 'h', 'u', 't', 'm', 1, 'upload', $1, false, id, 's', 'p', 1, 1
          from (select gen_random_uuid() as id) as space`,
        [tags],
      )
    }
    await migrate('9999')
    for (const table of ['runs', 'documents']) {
      const { rows } = await client.query<{ tags: string[] }>(`select tags from ingestion.${table}`)
      const tags = rows.map((row) => row.tags.join())
      expect(tags.toSorted()).toEqual(['', 'plain', 'straße,ärger,news'])
    }
  } finally {
    await client.end()
  }
})
