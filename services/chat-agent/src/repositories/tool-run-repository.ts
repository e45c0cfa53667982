import type { ChatAgentTables, ToolRunRow } from '@youworker/database/owners/chat-agent/tables'
import { countSome, listed, type Listed, type ListPage, newestFirst } from '@youworker/database/paging'
import { type Kysely, sql } from 'kysely'
import { onPath, type PathEnd } from './path.ts'

export type NewToolRun = Pick<
  ToolRunRow,
  'id' | 'space_id' | 'user_id' | 'session_id' | 'run_id' | 'iteration' | 'index' | 'tool_name' | 'idempotent' | 'args'
>
type ToolRunEnd = Pick<ToolRunRow, 'status' | 'result' | 'preview' | 'error' | 'is_away' | 'latency_ms'>
type ListedToolRun = Omit<ToolRunRow, 'result' | 'is_away'>

/** Without what was sent and came back. */
export type ToolStepRow = Pick<ToolRunRow, (typeof STEP)[number]>

const STEP = [
  'id',
  'iteration',
  'tool_name',
  'status',
  'idempotent',
  'error',
  'start_ts',
  'called_at',
  'end_ts',
  'latency_ms',
] as const

const LISTED = [
  'id',
  'space_id',
  'user_id',
  'session_id',
  'run_id',
  'iteration',
  'index',
  'tool_name',
  'status',
  'idempotent',
  'args',
  'preview',
  'error',
  'start_ts',
  'called_at',
  'end_ts',
  'latency_ms',
] as const

const isOfPresentSession = sql<boolean>`exists (
  select from sessions where sessions.id = tool_runs.session_id and sessions.deleted_at is null)`

export class ToolRunRepository {
  readonly #db: Kysely<ChatAgentTables>

  constructor(db: Kysely<ChatAgentTables>) {
    this.#db = db
  }

  async add(toolRuns: readonly NewToolRun[]): Promise<void> {
    if (toolRuns.length > 0) await this.#db.insertInto('tool_runs').values(toolRuns).execute()
  }

  /** Called right before the calls are made. */
  async markCalled(ids: readonly string[]): Promise<void> {
    await this.#db
      .updateTable('tool_runs')
      .set({ called_at: sql<string>`now()` })
      .where('id', '=', sql<string>`any(${[...ids]}::uuid[])`)
      .execute()
  }

  async end(id: string, end: ToolRunEnd): Promise<void> {
    await this.#db
      .updateTable('tool_runs')
      .set({ ...end, end_ts: sql<string>`now()` })
      .where('id', '=', id)
      .execute()
  }

  /** Ends the calls of a run that have no result. */
  async endRunning(runId: string, error: (id: string) => Buffer): Promise<void> {
    const running = await this.#db
      .selectFrom('tool_runs')
      .select(['id', 'called_at'])
      .where('run_id', '=', runId)
      .where('status', '=', 'running')
      .execute()
    for (const { id, called_at } of running) {
      const status = called_at === null ? 'error' : 'unknown'
      await this.end(id, { status, result: null, preview: null, error: error(id), is_away: false, latency_ms: null })
    }
  }

  ofRun(runId: string): Promise<ToolRunRow[]> {
    return this.#db
      .selectFrom('tool_runs')
      .selectAll()
      .where('run_id', '=', runId)
      .orderBy('iteration')
      .orderBy('index')
      .execute()
  }

  stepsOf(runId: string): Promise<ToolStepRow[]> {
    const rows = this.#db.selectFrom('tool_runs').select(STEP).where('run_id', '=', runId)
    return rows.orderBy('iteration').orderBy('index').execute()
  }

  /** `end`: only those of its path. */
  async list(
    of: { readonly user_id: string; readonly session_id: string | undefined; readonly end: PathEnd | undefined },
    page: ListPage,
  ): Promise<Listed<ListedToolRun>> {
    let mine = this.#db.selectFrom('tool_runs').where('user_id', '=', of.user_id).where(isOfPresentSession)
    if (of.session_id !== undefined) mine = mine.where('session_id', '=', of.session_id)
    if (of.end) {
      const runs = onPath('runs', of.end, { order: 'asc' })
      mine = mine.where(sql<boolean>`run_id in (select id from (${runs}) as path)`)
    }
    const [rows, counted] = await Promise.all([
      newestFirst(mine.select(LISTED), { time: 'start_ts', id: 'id' }, page).execute(),
      countSome(this.#db, (limit) => mine.select('id').limit(limit)),
    ])
    return listed({ rows, page, counted, positionOf: ({ start_ts: time, id }) => ({ time, id }) })
  }
}
