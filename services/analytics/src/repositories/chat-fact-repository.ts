import type {
  AnalyticsTables,
  HidingTimes,
  MessageRow,
  SessionRow,
  ToolRunRow,
} from '@youworker/database/owners/analytics/tables'
import { type Selectable, sql, type Transaction } from 'kysely'
import { latest } from './latest.ts'

const SESSION = ['session_id', 'space_id', 'model', 'enable_tools', 'created_at'] as const
const MESSAGE = ['message_id', 'space_id', 'session_id', 'role', 'model', 'tokens_in', 'tokens_out', 'created_at'] as const
const TOOL_RUN = ['tool_run_id', 'space_id', 'session_id', 'tool_name', 'status', 'latency_ms', 'finished_at'] as const

/** Writes are idempotent and may run in any order. */
export class ChatFactRepository {
  readonly #db: Transaction<AnalyticsTables>

  constructor(db: Transaction<AnalyticsTables>) {
    this.#db = db
  }

  /** Each session once: Postgres refuses to update a row twice in one statement. */
  async sessionsCreated(sessions: readonly Omit<SessionRow, 'deleted_at' | keyof HidingTimes>[]): Promise<void> {
    await this.#db
      .insertInto('sessions')
      .columns(SESSION)
      .expression(this.#db.selectFrom(rowsFrom('sessions', sessions)).select(SESSION))
      .onConflict((conflict) =>
        conflict.column('session_id').doUpdateSet(({ ref }) => ({
          space_id: ref('excluded.space_id'),
          model: ref('excluded.model'),
          enable_tools: ref('excluded.enable_tools'),
          created_at: ref('excluded.created_at'),
        })),
      )
      .execute()
  }

  async sessionDeleted(session: Pick<SessionRow, 'session_id' | 'space_id'> & { deleted_at: string }): Promise<void> {
    await this.#db
      .insertInto('sessions')
      .values(session)
      // least() ignores nulls.
      .onConflict((conflict) =>
        conflict.column('session_id').doUpdateSet({ deleted_at: sql`least(sessions.deleted_at, excluded.deleted_at)` }),
      )
      .execute()
  }

  /** It was deleted and may come back, or did. */
  async sessionChanged(
    session: Pick<SessionRow, 'session_id' | 'space_id'>,
    change: { readonly hidden_at: string } | { readonly shown_at: string },
  ): Promise<void> {
    await this.#db
      .insertInto('sessions')
      .values({ ...session, ...change })
      .onConflict((conflict) => conflict.column('session_id').doUpdateSet(latest('sessions', change)))
      .execute()
  }

  /** Deletes all facts of a user. */
  async forget(spaceId: string): Promise<void> {
    for (const table of ['tool_runs', 'messages', 'sessions'] as const) {
      await this.#db.deleteFrom(table).where('space_id', '=', spaceId).execute()
    }
  }

  async messagesCreated(messages: readonly MessageRow[]): Promise<void> {
    await this.#db
      .insertInto('messages')
      .columns(MESSAGE)
      .expression(this.#db.selectFrom(rowsFrom('messages', messages)).select(MESSAGE))
      .onConflict((conflict) => conflict.doNothing())
      .execute()
  }

  async toolRunsFinished(toolRuns: readonly ToolRunRow[]): Promise<void> {
    await this.#db
      .insertInto('tool_runs')
      .columns(TOOL_RUN)
      .expression(this.#db.selectFrom(rowsFrom('tool_runs', toolRuns)).select(TOOL_RUN))
      .onConflict((conflict) => conflict.doNothing())
      .execute()
  }
}

/** Rows as one parameter, however many there are. */
const rowsFrom = <T extends 'sessions' | 'messages' | 'tool_runs'>(
  table: T,
  rows: readonly Partial<Selectable<AnalyticsTables[T]>>[],
) =>
  sql<Selectable<AnalyticsTables[T]>>`jsonb_populate_recordset(null::${sql.table(table)}, ${JSON.stringify(rows)}::jsonb)`.as(
    'new',
  )
