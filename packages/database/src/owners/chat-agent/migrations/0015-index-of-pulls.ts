import { type Kysely, sql } from 'kysely'

/** For the foreign key: without it each deletion reads the whole table. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`create index model_pulls_backend_id on model_pulls (backend_id)`.execute(db)
}
