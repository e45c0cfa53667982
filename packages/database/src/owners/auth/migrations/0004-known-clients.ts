import { type Kysely, sql } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    alter table sign_in_failures
      add column last_failed_at timestamptz not null default now(),
      add column blocked_until timestamptz`.execute(db)
  await sql`
    create table known_clients (
      user_id uuid not null references users on delete cascade,
      kind text not null check (kind in ('device', 'address')),
      hash bytea not null check (octet_length(hash) = 32),
      last_used_at timestamptz not null default now(),
      has_returned boolean not null default false,
      primary key (user_id, kind, hash)
    )`.execute(db)
  await sql`create index known_clients_last_used on known_clients (last_used_at)`.execute(db)
}
