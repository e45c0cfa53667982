import { type Status, TERMINAL } from '@youworker/contracts/common'
import type { IngestionTables, RunFileRow, RunRow } from '@youworker/database/owners/ingestion/tables'
import { countSome, listed, type Listed, type ListPage, newestFirst } from '@youworker/database/paging'
import { type Kysely, sql } from 'kysely'

/** A run with the state of its job. */
export interface RunView extends RunRow {
  readonly status: Status
  readonly attempt: number
  readonly error: string | null
  readonly finished_at: string | null
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

type NewRun = Omit<RunRow, 'created_at' | 'started_at'>
export type NewRunFile = Omit<RunFileRow, 'chunks' | 'document_id' | 'run_id' | 'space_id' | 'read_tries' | 'reader_deaths'>
type FilePatch = Partial<Pick<RunFileRow, 'status' | 'stage' | 'percent' | 'error' | 'chunks' | 'document_id' | 'blob_id'>>

const NOT_ENDED: readonly Status[] = ['pending', 'running']

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
    const rows = files.map((file) => ({ ...file, run_id: run.id, space_id: run.space_id }))
    await this.#db.insertInto('run_files').values(rows).execute()
  }

  #views() {
    return this.#db
      .selectFrom('runs')
      .innerJoin('jobs', 'jobs.id', 'runs.id')
      .selectAll('runs')
      .select(['jobs.status', 'jobs.attempt', 'jobs.error', 'jobs.finished_at'])
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

  async markStarted(id: string): Promise<void> {
    await this.#db
      .updateTable('runs')
      .set({ started_at: sql<string>`coalesce(started_at, now())` })
      .where('id', '=', id)
      .execute()
  }

  async updateFile(runId: string, index: number, patch: FilePatch): Promise<void> {
    await this.#db.updateTable('run_files').set(patch).where('run_id', '=', runId).where('index', '=', index).execute()
  }

  /** Counts one more try to read a file and returns which it is; `undefined`, and not counted, after so many of either kind. */
  async beginReading(runId: string, index: number, most: { tries: number; deaths: number }): Promise<number | undefined> {
    const row = await this.#db
      .updateTable('run_files')
      .set({ read_tries: sql<number>`read_tries + 1` })
      .where('run_id', '=', runId)
      .where('index', '=', index)
      .where('read_tries', '<', most.tries)
      .where('reader_deaths', '<', most.deaths)
      .returning('read_tries')
      .executeTakeFirst()
    return row?.read_tries
  }

  /** The try has ended and counts no more, but for the death of the process that read the file. */
  async endReading(runId: string, index: number, { readerDied }: { readerDied: boolean }): Promise<void> {
    await this.#db
      .updateTable('run_files')
      .set({ read_tries: sql<number>`read_tries - 1`, reader_deaths: sql<number>`reader_deaths + ${readerDied ? 1 : 0}` })
      .where('run_id', '=', runId)
      .where('index', '=', index)
      .where('read_tries', '>', 0)
      .execute()
  }

  /** The last stage of a file that succeeded or failed. */
  async completeFile(runId: string, index: number): Promise<void> {
    await this.updateFile(runId, index, { stage: 'done', percent: 100 })
  }

  /** Ends every file that has not ended yet. */
  async closeFiles(runId: string, patch: { status: Status; error: string | null }): Promise<void> {
    await this.#db.updateTable('run_files').set(patch).where('run_id', '=', runId).where('status', 'in', NOT_ENDED).execute()
  }

  /** Files whose upload is still there go back to the start. Returns how many. */
  async reopenFailed(runId: string): Promise<number> {
    const { numUpdatedRows } = await this.#db
      .updateTable('run_files')
      .set({ status: 'pending', stage: 'waiting', percent: 0, error: null, read_tries: 0, reader_deaths: 0 })
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
