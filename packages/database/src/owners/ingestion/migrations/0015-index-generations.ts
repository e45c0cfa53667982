import { type Kysely, sql } from 'kysely'

/**
 * The search index once for each adapter, embedding model and way to make terms: one is searched, another may be made beside it. What there
 * was before is number 1. No tenant's data.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`create table index_generations (
    number integer primary key,
    adapter text not null check (adapter in ('embedded', 'qdrant')),
    embed_model text not null,
    vectors text not null,
    terms integer not null,
    layout integer not null,
    state text not null check (state in ('building', 'active', 'retired', 'erased')),
    job_id uuid not null unique,
    problem text,
    created_at timestamptz not null default now(),
    activated_at timestamptz,
    retired_at timestamptz
  )`.execute(db)
  await sql`create unique index index_generations_one on index_generations (state) where state in ('building', 'active')`.execute(
    db,
  )
}
