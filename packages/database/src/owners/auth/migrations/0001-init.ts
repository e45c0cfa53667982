import { type Kysely, sql } from 'kysely'
import { createSystemTables } from '../../../schema/system-tables.ts'

// No row-level security here: these rows identify the caller, so they are read by the hash of a secret or by an id before any
// space is known. Every query would have to bypass a policy.
export async function up(db: Kysely<unknown>): Promise<void> {
  await createSystemTables(db)
  await createAccounts(db)
  await createRights(db)
  await createAudit(db)
}

async function createAccounts(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table users (
      id uuid primary key,
      username text not null,
      username_key text not null unique,
      is_root boolean not null default false,
      password_hash text,
      created_at timestamptz not null default now()
    )`.execute(db)
  await sql`create unique index users_one_root on users (is_root) where is_root`.execute(db)
  await sql`
    create table api_keys (
      id uuid primary key,
      user_id uuid not null references users on delete cascade,
      key_hash bytea not null check (octet_length(key_hash) = 32),
      from_setting boolean not null default false,
      created_at timestamptz not null default now(),
      revoked_at timestamptz
    )`.execute(db)
  await sql`create unique index api_keys_live on api_keys (key_hash) where revoked_at is null`.execute(db)
  await sql`
    create unique index api_keys_one_from_setting on api_keys (user_id) where from_setting and revoked_at is null`.execute(db)
  await sql`create index api_keys_user on api_keys (user_id)`.execute(db)
  await sql`
    create table sessions (
      id uuid primary key,
      user_id uuid not null references users on delete cascade,
      secret_hash bytea not null unique check (octet_length(secret_hash) = 32),
      api_key_id uuid references api_keys on delete cascade,
      created_at timestamptz not null default now(),
      last_used_at timestamptz not null default now()
    )`.execute(db)
  await sql`create index sessions_user on sessions (user_id)`.execute(db)
  await sql`create index sessions_key on sessions (api_key_id)`.execute(db)
  await sql`create index sessions_last_used on sessions (last_used_at)`.execute(db)
  await sql`
    create table sign_in_failures (
      bucket bytea primary key,
      window_start timestamptz not null default now(),
      failures integer not null
    )`.execute(db)
}

async function createRights(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table grants (
      id uuid primary key,
      user_id uuid not null references users on delete cascade,
      sid uuid not null,
      run_id uuid not null,
      created_at timestamptz not null default now(),
      expires_at timestamptz not null,
      started_at timestamptz,
      unique (user_id, run_id)
    )`.execute(db)
  await sql`create index grants_expires on grants (expires_at)`.execute(db)
  await sql`create index grants_not_started on grants (created_at) where started_at is null`.execute(db)
  await sql`
    create table revocations (
      id uuid primary key,
      sid uuid,
      sub uuid,
      revoked_at timestamptz not null,
      check (num_nonnulls(sid, sub) >= 1)
    )`.execute(db)
  await sql`create index revocations_time on revocations (revoked_at)`.execute(db)
}

async function createAudit(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table audit_entries (
      seq bigint primary key,
      id uuid not null unique,
      occurred_at timestamptz not null,
      source text not null,
      actor_id uuid,
      action text not null,
      outcome text not null check (outcome in ('allowed', 'denied')),
      target_type text not null,
      target_id text,
      correlation_id text not null,
      prev_hash bytea not null,
      hash bytea not null
    )`.execute(db)
  await sql`create index audit_entries_actor on audit_entries (actor_id, seq)`.execute(db)
  await sql`
    create table audit_head (
      singleton boolean primary key default true check (singleton),
      seq bigint not null,
      hash bytea not null
    )`.execute(db)
  await sql`insert into audit_head (seq, hash) values (0, decode(repeat('00', 32), 'hex'))`.execute(db)
  // The service role can add and read entries but never change one. It owns no table, so it cannot drop the trigger, which also
  // protects the rows when rights on all tables are granted again.
  await sql`
    create function refuse_change() returns trigger language plpgsql as
    $$ begin raise exception 'audit entries are append-only' using errcode = 'insufficient_privilege'; end $$`.execute(db)
  await sql`
    create trigger audit_entries_append_only before update or delete or truncate on audit_entries
    for each statement execute function refuse_change()`.execute(db)
}
