import { type Status, TERMINAL } from '@youworker/contracts/common'
import { AppError } from '@youworker/contracts/errors'
import { readCorrelationId, readTraceparent } from '@youworker/runtime/correlation'
import { type CurrentRequest, currentRequest } from '@youworker/runtime/current-request'
import { cleanText } from '@youworker/runtime/text/text'
import { type Kysely, type Selectable, sql } from 'kysely'
import { countSome, listed, type ListPage, newestFirst } from '../paging.ts'
import type { SystemTables } from '../schema/system-tables.ts'

export type JobRow = Selectable<SystemTables['jobs']>
export type FinalStatus = Exclude<Status, 'pending' | 'running'>

interface NewJob {
  readonly id: string
  readonly kind: string
  readonly user_id: string
  readonly space_id: string
  /** Ids, counts and hashes, never text. */
  readonly payload: Record<string, unknown>
  /** Jobs of one kind and key run one at a time, oldest first. */
  readonly queue_key?: string | undefined
  readonly max_attempts?: number | undefined
  readonly progress_total?: number | undefined
  readonly owner?: string | undefined
  /** It is done already, and is added for whoever asks for it. */
  readonly ended?: FinalStatus | undefined
}

/**
 * The turn of a job that is added: behind the user's own jobs, and not before those that wait, so that each user who has jobs waiting gets
 * one in each turn however many others add (start-time fair queueing: Goyal, Vin and Cheng, SIGCOMM 1996).
 */
const nextTurn = ({ kind, user_id }: { readonly kind: unknown; readonly user_id: unknown }) => sql<number>`greatest(0,
  (select min(turn) from jobs as waiting where waiting.kind = ${kind} and waiting.status = 'pending' and waiting.run_after < 'infinity'),
  (select max(turn) + 1 from jobs as mine
    where mine.kind = ${kind} and mine.user_id = ${user_id} and mine.status in ('pending', 'running')))`

/** How long a job's lease lasts without a heartbeat, in ms. */
export const LEASE_MS = 9_000
/** The end of a lease that begins now. */
export const newLease = sql<string>`clock_timestamp() + make_interval(secs => ${sql.lit(LEASE_MS / 1_000)})`
/** With the worker's backoff, enough for a dependency that is down for about half a minute. */
const MAX_ATTEMPTS = 5
const MAX_ERROR = 1_000
/** `run_after` of a paused job. */
const PAUSED = 'infinity'
/** In the payload: the request that added the job. */
const ORIGIN = 'origin'

/** Reason of an abort: the job was cancelled. */
export class CancelRequested extends Error {
  override readonly name = 'CancelRequested'
}

/** Another worker owns the job, or may own it: this attempt must not write any more. */
export class LeaseLost extends Error {
  override readonly name = 'LeaseLost'
}

/** Reason of an abort: the process is stopping, and the job is released for another worker. */
export class Stopping extends Error {
  override readonly name = 'Stopping'
}

/** Thrown by a handler that counts such failures itself: the job runs again, and its attempt does not count against `max_attempts`. */
export class RetryJob extends Error {
  override readonly name = 'RetryJob'
  /** How often it has failed so: the pause grows with it. */
  readonly tries: number

  constructor(message: string, { tries, ...options }: ErrorOptions & { readonly tries: number }) {
    super(message, options)
    this.tries = tries
  }
}

/** Says that a job has ended or is gone. Only {@link JobRepository} makes one, so a job cannot end without a result by mistake. */
class JobEnded {
  protected readonly hasEnded = true
}
export type { JobEnded }

/** The request that added the job: what a worker does belongs to it. */
export function originOf({ payload }: Pick<JobRow, 'payload'>): Pick<CurrentRequest, 'correlationId' | 'traceparent'> {
  const { correlationId, traceparent } = Object(payload[ORIGIN]) as Readonly<Record<string, unknown>>
  return { correlationId: readCorrelationId(correlationId), traceparent: readTraceparent(traceparent) }
}

/** Rows of durable jobs. Methods with an `attempt` throw {@link LeaseLost} unless the job still runs under that attempt. */
export class JobRepository {
  readonly #db: Kysely<SystemTables>

  constructor(db: Kysely<SystemTables>) {
    this.#db = db
  }

  /** `owner`: of a slot that a worker of this process has reserved for the job, which is then its first attempt. */
  add({ payload, queue_key, max_attempts = MAX_ATTEMPTS, progress_total = 0, owner, ended, ...ids }: NewJob): Promise<JobRow> {
    const { correlationId, traceparent } = currentRequest()
    const whole = JSON.stringify({ ...payload, [ORIGIN]: { correlationId, traceparent } })
    const claimed =
      owner === undefined ? {} : ({ status: 'running', attempt: 1, lease_owner: owner, lease_until: newLease } as const)
    const done = ended === undefined ? claimed : { status: ended, attempt: 1, finished_at: sql<string>`now()` }
    return this.#db
      .insertInto('jobs')
      .values({
        ...ids,
        ...done,
        payload: whole,
        queue_key: queue_key ?? null,
        ...(ended === undefined ? { turn: nextTurn(ids) } : {}),
        max_attempts,
        progress_total,
      })
      .returningAll()
      .executeTakeFirstOrThrow()
  }

  get(id: string): Promise<JobRow | undefined> {
    return this.#db.selectFrom('jobs').selectAll().where('id', '=', id).executeTakeFirst()
  }

  /** Newest first. */
  async list(page: ListPage & { readonly user_id: string; readonly kinds?: readonly string[] }) {
    let matching = this.#db.selectFrom('jobs').where('user_id', '=', page.user_id)
    if (page.kinds !== undefined) matching = matching.where('kind', 'in', page.kinds)
    const [rows, counted] = await Promise.all([
      newestFirst(matching.selectAll(), { time: 'created_at', id: 'id' }, page).execute(),
      countSome(this.#db, (limit) => matching.select('id').limit(limit)),
    ])
    return listed({ rows, page, counted, positionOf: ({ created_at: time, id }) => ({ time, id }) })
  }

  /** Locks the row until the transaction ends. A worker must call it first in every transaction that writes. */
  async fence(id: string, attempt: number): Promise<void> {
    const row = await this.#db
      .selectFrom('jobs')
      .select('id')
      .where('id', '=', id)
      .where('attempt', '=', attempt)
      .where('status', '=', 'running')
      .forNoKeyUpdate()
      .executeTakeFirst()
    if (row === undefined) throw new LeaseLost(`attempt ${attempt} of job ${id} is over`)
  }

  async progress(
    id: string,
    attempt: number,
    { current, total, stage }: { current: number; total: number; stage: string | null },
  ) {
    // Of an attempt that got on, those that follow do not count as failures of the same.
    const max_attempts = sql<number>`case when progress_current < ${current}
      then greatest(max_attempts, attempt + ${sql.lit(MAX_ATTEMPTS)}) else max_attempts end`
    await this.#write(id, attempt, { progress_current: current, progress_total: total, stage, max_attempts })
  }

  /** `error` is shown to users: what went wrong and what to do. */
  async finish(
    id: string,
    attempt: number,
    { status, error }: { status: FinalStatus; error?: string | undefined },
  ): Promise<JobEnded> {
    await this.#write(id, attempt, {
      status,
      error: error === undefined ? null : cleanText(error, { max: MAX_ERROR }),
      finished_at: sql<string>`now()`,
      lease_owner: null,
      lease_until: null,
    })
    return new JobEnded()
  }

  /** Taken before the rows that a worker changes, as its own transactions do, so that none waits for the other. */
  async lock(ids: readonly string[]): Promise<void> {
    await sql`select from jobs where id = any(${[...ids]}::uuid[]) order by id for no key update`.execute(this.#db)
  }

  /** Cancels a waiting job at once; a running one is aborted within 2 s. Returns the updated row. */
  async requestCancel(id: string): Promise<JobRow | undefined> {
    const waiting = sql<boolean>`status = 'pending'`
    const cancelled = await this.#db
      .updateTable('jobs')
      .set({
        cancel_requested_at: sql<string>`coalesce(cancel_requested_at, now())`,
        status: sql<Status>`case when ${waiting} then 'cancelled' else status end`,
        finished_at: sql<string>`case when ${waiting} then now() else finished_at end`,
        updated_at: sql<string>`now()`,
      })
      .where('id', '=', id)
      .where('status', 'in', ['pending', 'running'])
      .returningAll()
      .executeTakeFirst()
    return cancelled ?? this.get(id)
  }

  /**
   * Lets nobody claim the job until it is resumed, and takes it from the worker that has it, which stops within 2 s and writes nothing more.
   * Returns whether it had not ended.
   */
  async pause(id: string): Promise<boolean> {
    const row = await this.#db
      .updateTable('jobs')
      .set({
        status: 'pending',
        run_after: PAUSED,
        max_attempts: sql<number>`max_attempts + case when status = 'running' then 1 else 0 end`,
        lease_owner: null,
        lease_until: null,
        error: null,
        updated_at: sql<string>`now()`,
      })
      .where('id', '=', id)
      .where('status', 'in', ['pending', 'running'])
      .where('cancel_requested_at', 'is', null)
      .returning('id')
      .executeTakeFirst()
    return row !== undefined
  }

  /** Lets a paused job be claimed; changes nothing for any other. */
  async resume(id: string): Promise<void> {
    await this.#db
      .updateTable('jobs')
      .set({ run_after: sql<string>`now()`, updated_at: sql<string>`now()` })
      .where('id', '=', id)
      .where('status', '=', 'pending')
      .where('run_after', '=', PAUSED)
      .execute()
  }

  /** Lets an ended job run again. The attempt number keeps counting, because it is the fencing token and must never repeat. */
  async redrive(id: string): Promise<void> {
    const row = await this.#db
      .updateTable('jobs')
      .set({
        status: 'pending',
        max_attempts: sql<number>`attempt + ${sql.lit(MAX_ATTEMPTS)}`,
        progress_current: 0,
        stage: null,
        error: null,
        cancel_requested_at: null,
        finished_at: null,
        turn: nextTurn({ kind: sql.ref('jobs.kind'), user_id: sql.ref('jobs.user_id') }),
        run_after: sql<string>`now()`,
        updated_at: sql<string>`now()`,
      })
      .where('id', '=', id)
      .where('status', 'in', TERMINAL)
      .returning('id')
      .executeTakeFirst()
    if (row === undefined) throw new AppError('CONFLICT', 'This job has not ended; wait for it or cancel it first')
  }

  /** Gives the job to the workers of another kind, as one that waits there. The attempt number keeps counting, as in {@link redrive}. */
  async handOver(
    id: string,
    attempt: number,
    { kind, queue_key, progress_total }: Required<Pick<NewJob, 'kind' | 'queue_key' | 'progress_total'>>,
  ): Promise<JobEnded> {
    await this.#write(id, attempt, {
      kind,
      queue_key: queue_key ?? null,
      status: 'pending',
      max_attempts: sql<number>`attempt + ${sql.lit(MAX_ATTEMPTS)}`,
      progress_current: 0,
      progress_total,
      stage: null,
      error: null,
      lease_owner: null,
      lease_until: null,
      turn: nextTurn({ kind, user_id: sql.ref('jobs.user_id') }),
      run_after: sql<string>`now()`,
    })
    return new JobEnded()
  }

  /** How many jobs with the queue key have not ended. */
  async unfinished(kind: string, queueKey: string): Promise<number> {
    const { count } = await this.#db
      .selectFrom('jobs')
      .where('kind', '=', kind)
      .where('queue_key', '=', queueKey)
      .where('status', 'in', ['pending', 'running'])
      .select(({ fn }) => fn.countAll<number>().as('count'))
      .executeTakeFirstOrThrow()
    return count
  }

  /** Deletes those with the queue key that have not ended. */
  async deleteQueued(kind: string, queueKey: string): Promise<void> {
    const queued = this.#db.deleteFrom('jobs').where('kind', '=', kind).where('queue_key', '=', queueKey)
    await queued.where('status', 'in', ['pending', 'running']).execute()
  }

  /** Of a deleted user. */
  async deleteOfUser(userId: string, kind: string): Promise<void> {
    await this.#db.deleteFrom('jobs').where('user_id', '=', userId).where('kind', '=', kind).execute()
  }

  async delete(id: string): Promise<JobEnded> {
    await this.#db.deleteFrom('jobs').where('id', '=', id).execute()
    return new JobEnded()
  }

  async #write(id: string, attempt: number, change: object): Promise<void> {
    const row = await this.#db
      .updateTable('jobs')
      .set({ ...change, updated_at: sql<string>`now()` })
      .where('id', '=', id)
      .where('attempt', '=', attempt)
      .where('status', '=', 'running')
      .returning('id')
      .executeTakeFirst()
    if (row === undefined) throw new LeaseLost(`attempt ${attempt} of job ${id} is over`)
  }
}
