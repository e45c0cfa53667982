import type { Kysely } from 'kysely'
import { renewPolicies } from '../../../schema/system-tables.ts'

export async function up(db: Kysely<unknown>): Promise<void> {
  await renewPolicies(db)
  // For the sums of what a user brought.
  await db.schema.createIndex('documents_of_user').on('documents').columns(['user_id', 'collection']).execute()
}
