import { retry } from '@youworker/runtime/timing/retry'
import { type Kysely, sql } from 'kysely'
import { isUniqueViolation } from '../connection/database-error.ts'
import { type JobRow, LEASE_MS, newLease } from './jobs.ts'
import type { SystemTables } from '../schema/system-tables.ts'

/** An attempt of a job that this process runs. */
export interface Held {
  readonly id: string
  readonly attempt: number
}

export interface LeaseState extends Held {
  readonly state: 'mine' | 'ended' | 'lost'
  readonly cancel_requested: boolean
  readonly renewed: boolean
}

/** Pause between heartbeats, in ms: two of them may be lost. */
export const HEARTBEAT_MS = LEASE_MS / 3

interface ClaimOptions {
  readonly limit: number
  /** Of one user that run at the same time, in all processes. */
  readonly each?: number | undefined
}

/**
 * Claims up to `limit` jobs that are due or whose lease ran out, in turns of their users, each under a new attempt number. Of the
 * unfinished jobs with one queue key only the oldest that is not paused can be claimed; a unique index refuses a second running one.
 */
export function claim(db: Kysely<SystemTables>, kind: string, owner: string, options: ClaimOptions): Promise<JobRow[]> {
  // Another process claimed a job of the same queue at the same moment; the next try sees it.
  const isRetryable = (error: unknown) => isUniqueViolation(error, 'jobs_one_running_per_queue')
  return retry(() => claimOnce(db, kind, owner, options), { attempts: 5, baseMs: 10, isRetryable })
}

async function claimOnce(
  db: Kysely<SystemTables>,
  kind: string,
  owner: string,
  { limit, each }: ClaimOptions,
): Promise<JobRow[]> {
  const candidates = sql`
    from jobs as candidate
    where kind = ${kind} and status in ('pending', 'running')
      and case status when 'pending' then run_after <= clock_timestamp() else lease_until < clock_timestamp() end
      and (queue_key is null or not exists (
        select from jobs as other
        where other.kind = candidate.kind and other.queue_key = candidate.queue_key and other.id <> candidate.id
          and (other.status = 'running'
            or (other.status = 'pending' and other.run_after < 'infinity' and (other.created_at, other.id) < (candidate.created_at, candidate.id)))
      ))`
  const own = sql`
    select id, row_number() over (partition by user_id order by turn, created_at, id) + (
      select count(*) from jobs as running
      where running.kind = candidate.kind and running.user_id = candidate.user_id and running.status = 'running'
        and running.lease_until >= clock_timestamp()
    ) as nth ${candidates}`
  const bounded = each === undefined ? sql`` : sql`and id in (select id from (${own}) as counted where nth <= ${each})`
  const { rows } = await sql<JobRow>`
    update jobs set status = 'running', attempt = attempt + 1, lease_owner = ${owner}, lease_until = ${newLease}, updated_at = now()
    where id = any(array(
      select id ${candidates} ${bounded}
      order by turn, created_at, id
      limit ${limit} for update skip locked
    ))
    returning *`.execute(db)
  return rows.sort((a, b) => a.turn - b.turn || (a.created_at < b.created_at ? -1 : 1))
}

/** Renews the leases of all held jobs in one statement and returns the state of each. */
export async function renew(db: Kysely<SystemTables>, owner: string, held: readonly Held[]): Promise<LeaseState[]> {
  // A locked row is being written by this process; the next renewal includes it.
  const { rows } = await sql<LeaseState>`
    with renewal as (
      update jobs set lease_until = ${newLease}
      where id = any(array(
        select jobs.id from jobs join ${heldRows(held)} on held.id = jobs.id and held.attempt = jobs.attempt
        where lease_owner = ${owner} and status = 'running'
        for no key update of jobs skip locked
      ))
      returning id
    )
    select ${stateOfHeld}, exists (select from renewal where renewal.id = held.id) as renewed
    from ${heldRows(held)} left join jobs on jobs.id = held.id`.execute(db)
  return rows
}

/** Returns the state of each held job without renewing its lease. */
export async function look(db: Kysely<SystemTables>, held: readonly Held[]): Promise<LeaseState[]> {
  const { rows } = await sql<LeaseState>`
    select ${stateOfHeld}, false as renewed from ${heldRows(held)} left join jobs on jobs.id = held.id`.execute(db)
  return rows
}

/** Puts the job back to pending. `extraAttempt`: this attempt does not count against `max_attempts`. */
export async function release(
  db: Kysely<SystemTables>,
  { id, attempt }: Held,
  { delayMs, error, extraAttempt }: { delayMs: number; error: string | null; extraAttempt: boolean },
): Promise<void> {
  await sql`
    update jobs set status = 'pending', lease_owner = null, lease_until = null, error = ${error}, updated_at = now(),
      run_after = clock_timestamp() + make_interval(secs => ${delayMs / 1_000}),
      max_attempts = max_attempts + ${extraAttempt ? 1 : 0}
    where id = ${id} and attempt = ${attempt} and status = 'running'`.execute(db)
}

const stateOfHeld = sql`
  held.id, held.attempt, coalesce(jobs.cancel_requested_at is not null, false) as cancel_requested,
  case when jobs.attempt is distinct from held.attempt or jobs.status = 'pending' then 'lost'
    when jobs.status = 'running' then 'mine'
    else 'ended' end as state`

const heldRows = (held: readonly Held[]) =>
  sql`unnest(${held.map(({ id }) => id)}::uuid[], ${held.map(({ attempt }) => attempt)}::int[]) as held (id, attempt)`
