import type { ChatAgentTables, ModelStepRow, RunRow, UnfinishedCallRow } from '@youworker/database/owners/chat-agent/tables'
import { type Kysely, sql } from 'kysely'
import { onPath, type PathEnd } from './path.ts'

type NewRun = Pick<
  RunRow,
  | 'id'
  | 'space_id'
  | 'user_id'
  | 'sid'
  | 'session_id'
  | 'grant_id'
  | 'turn'
  | 'branch'
  | 'model'
  | 'enable_tools'
  | 'disable_web'
  | 'max_iterations'
  | 'settings'
> &
  Partial<Pick<RunRow, 'status' | 'attempt' | 'ttft_ms'>>
export type NewUnfinishedCall = Omit<UnfinishedCallRow, 'created_at'>
/** Without what was asked and answered, which may be long. */
export type ModelStep = Omit<ModelStepRow, 'content'>
export type UnfinishedCall = Omit<UnfinishedCallRow, 'content'>
interface CallContent {
  readonly run_id: string
  readonly iteration: number
  readonly n: number | null
  readonly content: Buffer | null
}
type RunEnd = Pick<RunRow, 'status' | 'tokens_in' | 'tokens_out' | 'ttft_ms' | 'error' | 'model'>

const now = sql<string>`now()`

const CALL = ['space_id', 'iteration', 'model', 'latency_ms', 'tokens_in', 'tokens_out', 'estimated', 'text_end'] as const
const RECORD = ['run_id', 'attempt', 'started_at', 'backend', 'num_ctx', 'max_tokens'] as const
const STEP = [...CALL, ...RECORD, 'finish_reason'] as const
const UNFINISHED = [...CALL, ...RECORD, 'n', 'reason', 'said', 'error', 'created_at'] as const

export class RunRepository {
  readonly #db: Kysely<ChatAgentTables>

  constructor(db: Kysely<ChatAgentTables>) {
    this.#db = db
  }

  add(run: NewRun): Promise<RunRow> {
    return this.#db.insertInto('runs').values(run).returningAll().executeTakeFirstOrThrow()
  }

  find(id: string): Promise<RunRow | undefined> {
    return this.#db.selectFrom('runs').selectAll().where('id', '=', id).executeTakeFirst()
  }

  /** Without the run's settings, which may hold images. */
  async status(id: string): Promise<RunRow['status'] | undefined> {
    const found = await this.#db.selectFrom('runs').select('status').where('id', '=', id).executeTakeFirst()
    return found?.status
  }

  /** Of the last turn of a path. */
  async latest(end: PathEnd): Promise<RunRow | undefined> {
    return (await onPath('runs', end, { order: 'desc', limit: 1 }).execute(this.#db)).rows[0]
  }

  /** Runs of a path in the order of their turns. `turn`: of the one to begin with. */
  async onPath(end: PathEnd, order: 'asc' | 'desc', turn: number, limit: number): Promise<RunRow[]> {
    const where = order === 'asc' ? sql`turn >= ${turn}` : sql`turn <= ${turn}`
    return (await onPath('runs', end, { order, limit, where }).execute(this.#db)).rows
  }

  /** Its log, steps and tool runs are deleted with it. */
  async delete(id: string): Promise<void> {
    await this.#db.deleteFrom('runs').where('id', '=', id).execute()
  }

  /** Makes this attempt the run's owner. Waits for entries that the former owner is writing; its later ones are not stored. */
  begin(id: string, attempt: number): Promise<RunRow | undefined> {
    return this.#db
      .updateTable('runs')
      .set({ attempt, status: 'running', updated_at: now })
      .where('id', '=', id)
      .where('status', 'in', ['pending', 'running'])
      .returningAll()
      .executeTakeFirst()
  }

  async setModel(id: string, model: string): Promise<void> {
    await this.#db.updateTable('runs').set({ model }).where('id', '=', id).execute()
  }

  async addUse(id: string, use: Pick<RunRow, 'tokens_in' | 'tokens_out' | 'ttft_ms'>): Promise<void> {
    await this.#db
      .updateTable('runs')
      .set({ ...use, updated_at: now })
      .where('id', '=', id)
      .execute()
  }

  async end(id: string, end: RunEnd): Promise<void> {
    await this.#db
      .updateTable('runs')
      .set({ ...end, updated_at: now })
      .where('id', '=', id)
      .execute()
  }

  /** Keeps a reason that is set already. */
  async setStopReason(id: string, reason: NonNullable<RunRow['stop_reason']>): Promise<void> {
    await this.#db
      .updateTable('runs')
      .set({ stop_reason: reason })
      .where('id', '=', id)
      .where('stop_reason', 'is', null)
      .execute()
  }

  /** Runs that have not ended: of one sign-in session or key, which never comes back, or of one user, who may. */
  unfinished(
    of: { sid: string } | { session_id: string } | { user_id: string; started_before: string },
  ): Promise<Pick<RunRow, 'id' | 'session_id' | 'user_id' | 'space_id'>[]> {
    const unfinished = this.#db
      .selectFrom('runs')
      .select(['id', 'session_id', 'user_id', 'space_id'])
      .where('status', 'in', ['pending', 'running'])
    if ('sid' in of) return unfinished.where('sid', '=', of.sid).execute()
    if ('session_id' in of) return unfinished.where('session_id', '=', of.session_id).orderBy('id').execute()
    return unfinished.where('user_id', '=', of.user_id).where('created_at', '<=', of.started_before).execute()
  }

  /** Unfinished runs whose job has ended. */
  orphaned(): Promise<Pick<RunRow, 'id' | 'space_id'>[]> {
    return this.#db
      .selectFrom('runs')
      .innerJoin('jobs', 'jobs.id', 'runs.id')
      .select(['runs.id', 'runs.space_id'])
      .where('runs.status', 'in', ['pending', 'running'])
      .where('jobs.status', 'not in', ['pending', 'running'])
      .limit(100)
      .execute()
  }

  /** Locks by id, the order in which `EntryRepository.addFenced` locks too, so the two cannot deadlock. */
  lock(ids: readonly string[]): Promise<RunRow[]> {
    return this.#db
      .selectFrom('runs')
      .selectAll()
      .where(sql<boolean>`id = any(${ids}::uuid[])`)
      .orderBy('id')
      .forUpdate()
      .execute()
  }

  async idsOfSession(sessionId: string): Promise<string[]> {
    const rows = await this.#db.selectFrom('runs').select('id').where('session_id', '=', sessionId).orderBy('id').execute()
    return rows.map(({ id }) => id)
  }

  async addStep(step: ModelStepRow): Promise<void> {
    await this.#db
      .insertInto('model_steps')
      .values(step)
      .onConflict((conflict) => conflict.doNothing())
      .execute()
  }

  async addUnfinishedCalls(calls: readonly NewUnfinishedCall[]): Promise<void> {
    if (calls.length > 0) await this.#db.insertInto('unfinished_calls').values(calls).execute()
  }

  unfinishedCalls(runId: string): Promise<UnfinishedCall[]> {
    return this.#db.selectFrom('unfinished_calls').select(UNFINISHED).where('run_id', '=', runId).orderBy('n').execute()
  }

  steps(runId: string): Promise<ModelStep[]> {
    return this.#db.selectFrom('model_steps').select(STEP).where('run_id', '=', runId).orderBy('iteration').execute()
  }

  /** What was asked and answered, by iteration. */
  async stepContents(runId: string, iterations: readonly number[]): Promise<Map<number, Buffer | null>> {
    const contents = this.#db.selectFrom('model_steps').select(['iteration as key', 'content']).where('run_id', '=', runId)
    return byKey(await contents.where('iteration', '=', anyOf(iterations)).execute())
  }

  /** The same of calls that did not come to their end, by `n`. */
  async unfinishedContents(runId: string, ns: readonly number[]): Promise<Map<number, Buffer | null>> {
    const contents = this.#db.selectFrom('unfinished_calls').select(['n as key', 'content']).where('run_id', '=', runId)
    return byKey(await contents.where('n', '=', anyOf(ns)).execute())
  }

  /**
   * What models were asked and answered in these runs, in the order of the runs and of their calls. Behind `bytes` of it only the first run
   * has its contents; `n`: of a call that did not come to its end.
   */
  async callContents(spaceId: string, runIds: readonly string[], bytes: number): Promise<CallContent[]> {
    const { rows } = await sql<CallContent>`
      with wanted as (select id, at from unnest(${runIds}::uuid[]) with ordinality as run (id, at)),
      calls as (
        select run_id, iteration, n, content from unfinished_calls
          where run_id = any(${runIds}::uuid[]) and space_id = ${spaceId} and content is not null
        union all
        select run_id, iteration, null, content from model_steps
          where run_id = any(${runIds}::uuid[]) and space_id = ${spaceId} and content is not null
      ), sized as (
        select calls.*, wanted.at, sum(octet_length(content)) over (order by wanted.at) as total
        from calls join wanted on wanted.id = calls.run_id
      )
      select run_id, iteration, n, case when total <= ${bytes} or at = (select min(at) from sized) then content end as content
      from sized order by at, iteration, n nulls last`.execute(this.#db)
    return rows
  }
}

const anyOf = (numbers: readonly number[]) => sql<number>`any(${[...numbers]}::integer[])`

const byKey = (rows: readonly { readonly key: number; readonly content: Buffer | null }[]) =>
  new Map(rows.map(({ key, content }) => [key, content]))
