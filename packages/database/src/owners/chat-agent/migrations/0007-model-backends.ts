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
}
