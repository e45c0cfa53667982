import type { AnalyticsTables, SessionRow } from '@youworker/database/owners/analytics/tables'
import { sql, type Transaction } from 'kysely'
import { isSessionKept, since, tokenFigures, type TokenSums, toolFigures, type ToolSums } from './figures.ts'

/** Tools and models of one list. The least used of more are left out. */
const MAX_ROWS = 500

/** The figures of one user by tool, by model and by session. */
export class BreakdownRepository {
  readonly #db: Transaction<AnalyticsTables>

  constructor(db: Transaction<AnalyticsTables>) {
    this.#db = db
  }

  async byTool(userId: string, days: number) {
    const { rows } = await sql<ToolSums & { tool_name: string; min_latency_ms: number; max_latency_ms: number }>`
      select tool_name, ${toolFigures}, min(latency_ms) as min_latency_ms, max(latency_ms) as max_latency_ms from tool_runs
      where space_id = ${userId} and finished_at >= ${since(days)}
      group by tool_name order by total_runs desc, tool_name limit ${MAX_ROWS}`.execute(this.#db)
    return rows
  }

  async tokensByModel(userId: string, { hours, model }: { readonly hours: number; readonly model?: string | undefined }) {
    const ofModel = model === undefined ? sql`` : sql`and model = ${model}`
    const { rows } = await sql<TokenSums & { model: string | null }>`
      select model, ${tokenFigures} from messages
      where space_id = ${userId} and created_at >= now() - make_interval(hours => ${hours}::integer) and ${isSessionKept} ${ofModel}
      group by model order by sum(tokens_in + tokens_out) desc, model nulls last limit ${MAX_ROWS}`.execute(this.#db)
    return rows
  }

  async sessionsByModel(userId: string, days: number) {
    const { rows } = await sql<{ model: string | null; session_count: number }>`
      select model, count(*) as session_count from sessions
      where space_id = ${userId} and created_at >= ${since(days)} and deleted_at is null
      group by model order by session_count desc, model nulls last limit ${MAX_ROWS}`.execute(this.#db)
    return rows
  }

  /** `undefined` when the session is deleted, another user's, or not yet known. */
  async session(userId: string, sessionId: string) {
    const { rows } = await sql<Pick<SessionRow, 'session_id' | 'model'> & { created_at: string } & TokenSums & ToolSums>`
      select session_id, sessions.model, sessions.created_at, tokens.*, tools.*
      from sessions,
        lateral (select ${tokenFigures} from messages where messages.session_id = sessions.session_id) tokens,
        lateral (select ${toolFigures} from tool_runs where tool_runs.session_id = sessions.session_id) tools
      where session_id = ${sessionId} and space_id = ${userId} and created_at is not null and deleted_at is null`.execute(
      this.#db,
    )
    return rows[0]
  }
}
