import { type Generated, type Kysely, sql } from 'kysely'
import { tenantTable } from '../schema/system-tables.ts'

/** Columns of a table whose rows are deleted in two steps: hidden first, erased later. */
export interface DeletableColumns extends HiddenColumn {
  deleted_by: Generated<string | null>
  /** Until then it can be brought back. */
  erase_after: Generated<string | null>
}

/** The one column of tables whose rows are hidden together with those of another one. */
export interface HiddenColumn {
  deleted_at: Generated<string | null>
}

/** Units of work see rows that are deleted only when they ask for them, and in the system scope. */
const shown = sql`deleted_at is null or (select coalesce(
  current_setting('app.deleted', true) = 'shown' or current_setting('app.spaces', true) = '*', false))`

/** Adds the columns of {@link DeletableColumns} to a tenant table. */
export async function addDeletion(db: Kysely<unknown>, table: string): Promise<void> {
  await addHiding(db, table)
  await sql`alter table ${sql.table(table)} add column deleted_by uuid, add column erase_after timestamptz`.execute(db)
  await sql`create index ${sql.id(`${table}_erase_after`)} on ${sql.table(table)} (erase_after) where erase_after is not null`.execute(
    db,
  )
}

/** Adds the column of {@link HiddenColumn} to a tenant table. */
export async function addHiding(db: Kysely<unknown>, table: string): Promise<void> {
  await sql`alter table ${sql.table(table)} add column deleted_at timestamptz`.execute(db)
  await sql`create policy ${sql.id(`${table}_not_deleted`)} on ${sql.table(table)} as restrictive
    using (${shown}) with check (${shown})`.execute(db)
}

export async function createReceipts(db: Kysely<unknown>): Promise<void> {
  await sql`create table erasure_receipts (
    id uuid primary key,
    space_id uuid not null,
    kind text not null,
    target_id uuid not null,
    reason text not null,
    removed jsonb not null,
    traces jsonb,
    deleted_at timestamptz,
    erased_at timestamptz not null default now(),
    verified_at timestamptz
  )`.execute(db)
  await sql`create index erasure_receipts_list on erasure_receipts (space_id, erased_at, id)`.execute(db)
  await sql`create index erasure_receipts_target on erasure_receipts (space_id, target_id)`.execute(db)
  await sql`create index erasure_receipts_unverified on erasure_receipts (erased_at) where verified_at is null`.execute(db)
  await tenantTable(db, 'erasure_receipts')
}
