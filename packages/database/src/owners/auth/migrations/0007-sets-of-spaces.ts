import type { Kysely } from 'kysely'
import { renewPolicies } from '../../../schema/system-tables.ts'

export async function up(db: Kysely<unknown>): Promise<void> {
  await renewPolicies(db)
  // A key that has ended is found too: its user is told so.
  await db.schema.createIndex('api_keys_hash').on('api_keys').column('key_hash').execute()
  // For the sweep of ended sessions.
  await db.schema.createIndex('sessions_created').on('sessions').column('created_at').execute()
}
