import { type Status, TERMINAL } from '@youworker/contracts/common'
import type { RetryStage } from '@youworker/contracts/documents/runs'
import type { Checkpoint, IngestionTables, RunFileRow, RunRow } from '@youworker/database/owners/ingestion/tables'
import { LEASE_MS } from '@youworker/database/jobs/jobs'
import { countSome, listed, type Listed, type ListPage, newestFirst } from '@youworker/database/paging'
import { type Kysely, sql } from 'kysely'

/** A run with the state of its job. */
export interface RunView extends RunRow {
  readonly status: Status
  readonly attempt: number
  readonly error: string | null
  readonly finished_at: string | null
  readonly paused: boolean
  readonly heartbeat_at: string | null
}

/** What a list shows of a run's files. */
export interface RunTotals {
  readonly run_id: string
  readonly files: number
  readonly files_done: number
  readonly chunks: number
  readonly total_bytes: number
  readonly percent: number
  readonly errors: string[]
}

type NewRun = Omit<RunRow, 'created_at' | 'started_at' | 'waits'>
type Later =
  | 'chunks'
  | 'document_id'
  | 'run_id'
  | 'space_id'
  | 'read_tries'
  | 'reader_deaths'
  | 'checkpoint'
  | 'pipeline'
  | 'title'
/** `document_id`: the document that it is already, and not one at the same path. */
export type NewRunFile = Omit<RunFileRow, Later> & { readonly document_id?: string }

const NOT_ENDED: readonly Status[] = ['pending', 'running']

const isAlive = sql<boolean>`jobs.status = 'running' and jobs.lease_until > clock_timestamp()`
/** A run whose worker is gone waits for the next one. */
const status = sql<Status>`case when jobs.status = 'running' and not (${isAlive}) then 'pending' else jobs.status end`
const heartbeat = sql<string | null>`case when ${isAlive}
  then jobs.lease_until - make_interval(secs => ${sql.lit(LEASE_MS / 1_000)}) end`

export class RunRepository {
  readonly #db: Kysely<IngestionTables>

  constructor(db: Kysely<IngestionTables>) {
    this.#db = db
  }

  async add(run: NewRun, files: readonly NewRunFile[]): Promise<void> {
    await this.#db.insertInto('runs').values(run).execute()
    await this.addFiles(run, files)
  }

  async addFiles(run: Pick<RunRow, 'id' | 'space_id'>, files: readonly NewRunFile[]): Promise<void> {
    if (files.length === 0) return
    const rows = files.map(({ timeline, ...file }) => {
      return { ...file, timeline: JSON.stringify(timeline), run_id: run.id, space_id: run.space_id }
    })
    await this.#db.insertInto('run_files').values(rows).execute()
  }

  #views() {
    return this.#db
      .selectFrom('runs')
      .innerJoin('jobs', 'jobs.id', 'runs.id')
      .selectAll('runs')
      .select(['jobs.attempt', 'jobs.error', 'jobs.finished_at'])
      .select([status.as('status'), heartbeat.as('heartbeat_at')])
      .select(sql<boolean>`jobs.status = 'pending' and jobs.run_after = 'infinity'`.as('paused'))
  }

  get(id: string, userId: string): Promise<RunView | undefined> {
    return this.#views().where('runs.id', '=', id).where('runs.user_id', '=', userId).executeTakeFirst()
  }

  /** With the job's row locked: its state stays as it is until the transaction ends. */
  lock(id: string, userId: string): Promise<RunView | undefined> {
    return this.#views().where('runs.id', '=', id).where('runs.user_id', '=', userId).forUpdate().executeTakeFirst()
  }

  async list(userId: string, page: ListPage): Promise<Listed<RunView>> {
    const mine = this.#views().where('runs.user_id', '=', userId)
    const [rows, counted] = await Promise.all([
      newestFirst(mine, { time: 'runs.created_at', id: 'runs.id' }, page).execute(),
      countSome(this.#db, (limit) => this.#db.selectFrom('runs').select('id').where('user_id', '=', userId).limit(limit)),
    ])
    return listed({ rows, page, counted, positionOf: ({ created_at: time, id }) => ({ time, id }) })
  }

  files(runId: string): Promise<RunFileRow[]> {
    return this.#db.selectFrom('run_files').selectAll().where('run_id', '=', runId).orderBy('index').execute()
  }

  async totals(runIds: readonly string[]): Promise<Map<string, RunTotals>> {
    if (runIds.length === 0) return new Map()
    const rows = await this.#db
      .selectFrom('run_files')
      .select([
        'run_id',
        sql<number>`count(*)::int`.as('files'),
        sql<number>`(count(*) filter (where status = 'success'))::int`.as('files_done'),
        sql<number>`sum(chunks)::int`.as('chunks'),
        sql<number>`sum(size_bytes)::bigint`.as('total_bytes'),
        sql<number>`avg(percent)::float8`.as('percent'),
        sql<string[]>`coalesce(array_agg(path || ': ' || error order by index) filter (where error is not null), '{}')`.as(
          'errors',
        ),
      ])
      .where('run_id', 'in', runIds)
      .groupBy('run_id')
      .execute()
    return new Map(rows.map((row) => [row.run_id, { ...row, total_bytes: Number(row.total_bytes) }]))
  }

  /** Counts one more time that the run waits for what is away, in a row. */
  async countWait(id: string): Promise<number> {
    const counted = this.#db
      .updateTable('runs')
      .set({ waits: sql<number>`waits + 1` })
      .where('id', '=', id)
    return (await counted.returning('waits').executeTakeFirstOrThrow()).waits
  }

  async forgetWaits(id: string): Promise<void> {
    await this.#db.updateTable('runs').set({ waits: 0 }).where('id', '=', id).execute()
  }

  async markStarted(id: string): Promise<void> {
    await this.#db
      .updateTable('runs')
      .set({ started_at: sql<string>`coalesce(started_at, now())` })
      .where('id', '=', id)
      .execute()
  }

  /** Ends every file that has not ended yet. */
  async closeFiles(runId: string, patch: { status: Status; error: string | null }): Promise<void> {
    await this.#db.updateTable('run_files').set(patch).where('run_id', '=', runId).where('status', 'in', NOT_ENDED).execute()
  }

  /** Files whose upload is still there wait again, to go on from the stage or from where they stopped. Returns how many. */
  async reopenFailed(runId: string, from: RetryStage | undefined): Promise<number> {
    const checkpoint = { parsing: null, chunking: null, embedding: 'chunked', indexing: 'embedded' } as const
    const latest = from === undefined ? sql`checkpoint` : sql`${checkpoint[from]}::text`
    const { numUpdatedRows } = await this.#db
      .updateTable('run_files')
      .set({ status: 'pending', stage: 'waiting', percent: 0, error: null, read_tries: 0, reader_deaths: 0 })
      // Not later than what is stored of it.
      .set({
        checkpoint: sql<Checkpoint | null>`case when checkpoint = 'embedded' then ${latest} when ${latest} is not null then checkpoint end`,
      })
      .where('run_id', '=', runId)
      .where('status', 'in', ['failed', 'cancelled'])
      .where('blob_id', 'is not', null)
      .executeTakeFirst()
    return Number(numUpdatedRows)
  }

  /** All runs of a user, with their jobs locked. */
  lockOfUser(userId: string): Promise<{ id: string }[]> {
    return this.#db
      .selectFrom('runs')
      .innerJoin('jobs', 'jobs.id', 'runs.id')
      .select('runs.id')
      .where('runs.user_id', '=', userId)
      .orderBy('runs.id')
      .forUpdate()
      .execute()
  }

  async delete(id: string): Promise<void> {
    await this.#db.deleteFrom('runs').where('id', '=', id).execute()
  }

  /** Runs into a space that have not ended, of one user or of all. */
  active(targetSpaceId: string, userId?: string): Promise<{ id: string; user_id: string }[]> {
    return this.#db
      .selectFrom('runs')
      .innerJoin('jobs', 'jobs.id', 'runs.id')
      .select(['runs.id', 'runs.user_id'])
      .where('runs.target_space_id', '=', targetSpaceId)
      .where('jobs.status', 'not in', TERMINAL)
      .$if(userId !== undefined, (query) => query.where('runs.user_id', '=', userId ?? ''))
      .execute()
  }
}
