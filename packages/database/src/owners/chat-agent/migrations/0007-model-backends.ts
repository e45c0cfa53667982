import { type Kysely, sql } from 'kysely'

/** Of the whole installation, so without a space. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`create table model_backends (
    id uuid primary key,
    name text not null unique,
    protocol text not null check (protocol in ('ollama', 'openai')),
    base_url text not null,
    api_key bytea,
    source text not null check (source in ('environment', 'admin')),
    enabled boolean not null default true,
    concurrency integer check (concurrency between 1 and 10000),
    priority integer not null default 0,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
  )`.execute(db)
  await sql`create table model_pulls (
    id uuid primary key,
    backend_id uuid not null references model_backends on delete cascade,
    model text not null,
    status text not null default 'running' check (status in ('running', 'success', 'failed', 'cancelled')),
    stage text not null default '',
    completed bigint not null default 0,
    total bigint not null default 0,
    error text,
    watched_until timestamptz not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
  )`.execute(db)
  await sql`create unique index model_pulls_running on model_pulls (backend_id, model) where status = 'running'`.execute(db)
}
