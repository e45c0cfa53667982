import { type Kysely, sql } from 'kysely'
import { tenantTable } from '../../../schema/system-tables.ts'

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`create table previews (
    blob_id uuid not null references blobs (id) on delete cascade,
    page integer not null,
    space_id uuid not null,
    pages integer not null,
    sealed bytea not null,
    created_at timestamptz not null default now(),
    primary key (blob_id, page)
  )`.execute(db)
  await sql`create index previews_of_space on previews (space_id, created_at, blob_id, page)`.execute(db)
  await sql`alter table previews alter column sealed set storage external`.execute(db)
  await tenantTable(db, 'previews')
}
