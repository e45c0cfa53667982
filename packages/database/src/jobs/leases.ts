import { retry } from '@youworker/runtime/retry'
import { type Kysely, sql } from 'kysely'
import { isUniqueViolation } from '../connection/database-error.ts'
import type { JobRow } from './jobs.ts'
import type { SystemTables } from '../schema/system-tables.ts'

/** A job that this process runs. */
export interface Held {
  readonly id: string
  readonly attempt: number
}

export interface LeaseState extends Held {
  readonly state: 'mine' | 'ended' | 'lost'
  readonly cancel_requested: boolean
  readonly renewed: boolean
}

/** How long a job's lease lasts without a heartbeat, and the pause between heartbeats. Two of them may be lost. In ms. */
export const LEASE_MS = 9_000
export const HEARTBEAT_MS = 3_000

const lease = sql<string>`clock_timestamp() + make_interval(secs => ${sql.lit(LEASE_MS / 1_000)})`

/**
 * Takes up to `limit` jobs that wait or whose owner's lease ran out, the oldest first, each under a new attempt number. Of jobs
 * with one queue key only the oldest open one can be taken; an index refuses a second that runs.
 */
export function claim(db: Kysely<SystemTables>, kind: string, owner: string, limit: number): Promise<JobRow[]> {
  // Another process took an older job of the same queue at the same moment: it is seen the next time.
  const isRetryable = (error: unknown) => isUniqueViolation(error, 'jobs_one_running_per_queue')
  return retry(() => claimOnce(db, kind, owner, limit), { attempts: 5, baseMs: 10, isRetryable })
}

async function claimOnce(db: Kysely<SystemTables>, kind: string, owner: string, limit: number): Promise<JobRow[]> {
  const { rows } = await sql<JobRow>`
    update jobs set status = 'running', attempt = attempt + 1, lease_owner = ${owner}, lease_until = ${lease}, updated_at = now()
    where id = any(array(
      select id from jobs as candidate
      where kind = ${kind} and status in ('pending', 'running')
        and case status when 'pending' then run_after <= clock_timestamp() else lease_until < clock_timestamp() end
        and (queue_key is null or not exists (
          select from jobs as other
          where other.kind = candidate.kind and other.queue_key = candidate.queue_key and other.id <> candidate.id
            and (other.status = 'running'
              or (other.status = 'pending' and (other.created_at, other.id) < (candidate.created_at, candidate.id)))
        ))
      order by created_at, id
      limit ${limit} for update skip locked
    ))
    returning *`.execute(db)
  return rows.sort((a, b) => (a.created_at < b.created_at ? -1 : 1))
}

/** Renews the leases of all held jobs at once and tells what became of each. */
export async function renew(db: Kysely<SystemTables>, owner: string, held: readonly Held[]): Promise<LeaseState[]> {
  // A row that is locked is being written by its owner right now; a later beat renews it.
  const { rows } = await sql<LeaseState>`
    with beat as (
      update jobs set lease_until = ${lease}
      where id = any(array(
        select jobs.id from jobs join ${heldRows(held)} on held.id = jobs.id and held.attempt = jobs.attempt
        where lease_owner = ${owner} and status = 'running'
        for no key update of jobs skip locked
      ))
      returning id
    )
    select ${stateOfHeld}, exists (select from beat where beat.id = held.id) as renewed
    from ${heldRows(held)} left join jobs on jobs.id = held.id`.execute(db)
  return rows
}

/** What became of each held job, without renewing. */
export async function look(db: Kysely<SystemTables>, held: readonly Held[]): Promise<LeaseState[]> {
  const { rows } = await sql<LeaseState>`
    select ${stateOfHeld}, false as renewed from ${heldRows(held)} left join jobs on jobs.id = held.id`.execute(db)
  return rows
}

/** Back to waiting. `extraAttempt`: the attempt was not the job's fault. */
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
