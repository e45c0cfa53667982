import { type Kysely, sql } from 'kysely'

/** A set, because Postgres hashes it: figures of a group are read in the spaces of all members, and an array is searched for each row. */
const spaces = sql`select unnest(string_to_array(nullif(current_setting('app.spaces', true), '*'), ',')::uuid[])`
const visible = sql`(select coalesce(current_setting('app.spaces', true) = '*', false)) or space_id in (${spaces})`

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const table of ['sessions', 'messages', 'tool_runs', 'ingestion_runs', 'documents']) {
    await sql`alter policy ${sql.id(`${table}_spaces`)} on ${sql.table(table)} using (${visible}) with check (${visible})`.execute(
      db,
    )
  }
  // The space of a row stays the user's, so rows of a group are visible by a policy of their own, and only to reads.
  for (const table of ['documents', 'ingestion_runs']) {
    await sql`alter table ${sql.table(table)} add column group_id uuid`.execute(db)
    await sql`create policy ${sql.id(`${table}_groups`)} on ${sql.table(table)} for select using (group_id in (${spaces}))`.execute(
      db,
    )
  }
  await sql`create index documents_of_group on documents (group_id) where group_id is not null and deleted_at is null`.execute(db)
  await sql`create index ingestion_runs_of_group on ingestion_runs (group_id, finished_at) where group_id is not null`.execute(db)
}
