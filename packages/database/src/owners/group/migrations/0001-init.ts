import { type Kysely, sql } from 'kysely'
import { createSystemTables, tenantTable } from '../../../schema/system-tables.ts'

export async function up(db: Kysely<unknown>): Promise<void> {
  await createSystemTables(db)
  await sql`
    create table groups (
      id uuid primary key,
      space_id uuid not null generated always as (id) stored,
      name text not null,
      name_key text not null,
      description text,
      created_by uuid not null,
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now()
    )`.execute(db)
  await sql`
    create table members (
      group_id uuid not null references groups on delete cascade,
      space_id uuid not null generated always as (group_id) stored,
      user_id uuid not null,
      role text not null check (role in ('admin', 'member')),
      joined_at timestamptz not null default now(),
      primary key (group_id, user_id)
    )`.execute(db)
  await sql`create index members_user on members (user_id)`.execute(db)
  await tenantTable(db, 'groups')
  await tenantTable(db, 'members')
  // No row-level security: the row belongs to a user and not to a group's space, and holds only a number.
  await sql`create table name_versions (user_id uuid primary key, version bigint not null)`.execute(db)
}
