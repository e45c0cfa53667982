import type { Status } from '@youworker/contracts/common'
import type { Erasure } from '@youworker/contracts/erasures'
import { type ColumnType, type Generated, type Kysely, sql } from 'kysely'

/** A jsonb column: read as a value, written as JSON text, because pg would send an array as a Postgres array. */
export type JsonColumn<T> = ColumnType<T, string, string>

/** The tables that every owner's schema has. Times are ISO-8601 strings in UTC. */
export interface SystemTables {
  outbox: {
    position: Generated<number>
    /** Id of the event. */
    id: string
    subject: string
    data: JsonColumn<Record<string, unknown>>
    correlation_id: string | null
    traceparent: string | null
    created_at: Generated<string>
    published_at: string | null
    /** When the stream that stored the event was created, and the number of the event in it. */
    stream_created: string | null
    stream_seq: number | null
  }
  inbox: { event_id: string; received_at: Generated<string> }
  dead_letters: { id: Generated<string>; envelope: string; reason: string; created_at: Generated<string> }
  jobs: {
    id: string
    kind: string
    user_id: string
    space_id: string
    payload: JsonColumn<Record<string, unknown>>
    status: Generated<Status>
    progress_current: Generated<number>
    progress_total: Generated<number>
    stage: string | null
    error: string | null
    /** Fencing token: counts the claims of the job, 0 before the first. Never repeats. */
    attempt: Generated<number>
    /** The last attempt that may run; a later claim only writes the failure. */
    max_attempts: number
    queue_key: string | null
    /** Lower ones are claimed first: the users' jobs take turns. */
    turn: Generated<number>
    run_after: Generated<string>
    lease_owner: string | null
    lease_until: string | null
    cancel_requested_at: string | null
    created_at: Generated<string>
    updated_at: Generated<string>
    finished_at: string | null
  }
  idempotency: {
    user_id: string
    subject: string
    key: string
    request_hash: Buffer
    response: JsonColumn<unknown> | null
    created_at: Generated<string>
  }
  data_keys: { space_id: string; key_version: number; wrapped: Buffer; created_at: Generated<string> }
  /**
   * What was erased and when that was verified, in the space of whoever may read it. Only in schemas with tables of `DeletableColumns`.
   */
  erasure_receipts: {
    id: string
    space_id: string
    kind: Erasure['kind']
    target_id: string
    reason: Erasure['reason']
    /** How many, by where they were. */
    removed: JsonColumn<Record<string, number>>
    /** Ids to look for until the erasure is verified. */
    traces: ColumnType<Record<string, string[]> | null, string | null, string | null>
    deleted_at: string | null
    erased_at: Generated<string>
    verified_at: string | null
  }
}

/** Creates the system tables in the current schema. */
export async function createSystemTables(db: Kysely<unknown>): Promise<void> {
  await createEventTables(db)
  await createJobs(db)
  await sql`create table idempotency (
    user_id uuid not null,
    subject text not null,
    key text not null,
    request_hash bytea not null,
    response jsonb,
    created_at timestamptz not null default now(),
    primary key (user_id, subject, key)
  )`.execute(db)
  await sql`create index idempotency_created_at on idempotency (created_at)`.execute(db)
  await sql`create table data_keys (
    space_id uuid primary key,
    key_version integer not null,
    wrapped bytea not null,
    created_at timestamptz not null default now()
  )`.execute(db)
  await tenantTable(db, 'data_keys')
}

/**
 * Rows of the spaces in `app.spaces`, or all rows when it is `*`. The subselects make Postgres read the setting once per query, and a set
 * is hashed, while an array would be searched for each row. No index serves this condition: statements name their spaces themselves.
 */
const visible = sql`(select coalesce(current_setting('app.spaces', true) = '*', false)) or space_id in (
  select unnest(string_to_array(nullif(current_setting('app.spaces', true), '*'), ',')::uuid[]))`

/** Enables row-level security on a table by its column `space_id`, for every role, also the owner. */
export async function tenantTable(db: Kysely<unknown>, table: string): Promise<void> {
  await sql`alter table ${sql.table(table)} enable row level security`.execute(db)
  await sql`alter table ${sql.table(table)} force row level security`.execute(db)
  await sql`create policy ${sql.id(`${table}_spaces`)} on ${sql.table(table)} using (${visible}) with check (${visible})`.execute(
    db,
  )
}

/** Gives the tenant tables of the current schema that an older version made the policy of {@link tenantTable}. */
export async function renewPolicies(db: Kysely<unknown>): Promise<void> {
  const { rows } = await sql<{ tablename: string }>`select tablename from pg_policies
    where schemaname = current_schema() and policyname = tablename || '_spaces'`.execute(db)
  for (const { tablename } of rows) {
    const policy = sql.id(`${tablename}_spaces`)
    await sql`alter policy ${policy} on ${sql.table(tablename)} using (${visible}) with check (${visible})`.execute(db)
  }
}

async function createEventTables(db: Kysely<unknown>): Promise<void> {
  await sql`create table outbox (
    position bigint generated always as identity primary key,
    id uuid not null unique,
    subject text not null,
    data jsonb not null,
    correlation_id text,
    traceparent text,
    created_at timestamptz not null default now(),
    published_at timestamptz,
    stream_created text,
    stream_seq bigint
  )`.execute(db)
  await sql`create index outbox_unpublished on outbox (position) where published_at is null`.execute(db)
  await sql`create index outbox_published_at on outbox (published_at)`.execute(db)
  await sql`create index outbox_stream on outbox (stream_created, stream_seq)`.execute(db)
  await sql`create table inbox (
    event_id uuid primary key,
    received_at timestamptz not null default now()
  )`.execute(db)
  await sql`create index inbox_received_at on inbox (received_at)`.execute(db)
  await sql`create table dead_letters (
    id uuid primary key default gen_random_uuid(),
    envelope text not null,
    reason text not null,
    created_at timestamptz not null default now()
  )`.execute(db)
}

async function createJobs(db: Kysely<unknown>): Promise<void> {
  await sql`create table jobs (
    id uuid primary key,
    kind text not null,
    user_id uuid not null,
    space_id uuid not null,
    payload jsonb not null,
    status text not null default 'pending'
      check (status in ('pending', 'running', 'success', 'partial', 'failed', 'cancelled')),
    progress_current integer not null default 0,
    progress_total integer not null default 0,
    stage text,
    error text,
    attempt integer not null default 0,
    max_attempts integer not null,
    queue_key text,
    run_after timestamptz not null default now(),
    lease_owner uuid,
    lease_until timestamptz,
    cancel_requested_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    finished_at timestamptz
  )`.execute(db)
  await sql`create index jobs_open on jobs (kind, created_at, id) where status in ('pending', 'running')`.execute(db)
  await sql`create index jobs_queue on jobs (kind, queue_key, created_at, id)
    where queue_key is not null and status in ('pending', 'running')`.execute(db)
  await sql`create unique index jobs_one_running_per_queue on jobs (kind, queue_key) where status = 'running'`.execute(db)
  await sql`create index jobs_leased on jobs (lease_owner) where status = 'running'`.execute(db)
  await sql`create index jobs_of_user on jobs (user_id, created_at desc, id desc)`.execute(db)
}

/** Lets the waiting jobs of a kind be claimed in turns of their users. */
export async function addTurnsOfJobs(db: Kysely<unknown>): Promise<void> {
  await sql`alter table jobs add column turn bigint not null default 0`.execute(db)
  await sql`drop index jobs_open`.execute(db)
  await sql`create index jobs_open on jobs (kind, turn, created_at, id) where status in ('pending', 'running')`.execute(db)
  await sql`create index jobs_waiting on jobs (kind, turn) where status = 'pending'`.execute(db)
  await sql`create index jobs_open_of_user on jobs (kind, user_id, turn) where status in ('pending', 'running')`.execute(db)
}
