import type { Kysely } from 'kysely'
import { addDeletion, addHiding, createReceipts } from '../../../deletion/deletable-tables.ts'

export async function up(db: Kysely<unknown>): Promise<void> {
  await addDeletion(db, 'groups')
  await addHiding(db, 'members')
  await createReceipts(db)
}
