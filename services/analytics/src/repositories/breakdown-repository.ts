import type { AnalyticsTables, SessionRow } from '@youworker/database/owners/analytics/tables'
import { sql, type Transaction } from 'kysely'
import { doneBy, isSessionKept, since, tokenFigures, type TokenSums, toolFigures, type ToolSums, type Whose } from './figures.ts'

/** Tools and models of one list. The least used of more are left out. */
const MAX_ROWS = 500

/** Figures by tool, by model and by session. */
export class BreakdownRepository {
  readonly #db: Transaction<AnalyticsTables>

  constructor(db: Transaction<AnalyticsTables>) {
    this.#db = db
  }

  async byTool(whose: Whose, days: number) {
    const { rows } = await sql<ToolSums & { tool_name: string; min_latency_ms: number; max_latency_ms: number }>`
      select tool_name, ${toolFigures}, min(latency_ms) as min_latency_ms, max(latency_ms) as max_latency_ms
      from ${doneBy(whose, 'tool_runs', since(days))}
      group by tool_name order by total_runs desc, tool_name limit ${MAX_ROWS}`.execute(this.#db)
    return rows
  }

  async tokensByModel(whose: Whose, { hours, model }: { readonly hours: number; readonly model?: string | undefined }) {
    const ofModel = model === undefined ? sql`` : sql`and model = ${model}`
    const { rows } = await sql<TokenSums & { model: string | null }>`
      select model, ${tokenFigures} from ${doneBy(whose, 'messages', sql`now() - make_interval(hours => ${hours}::integer)`)}
      where ${isSessionKept} ${ofModel}
      group by model order by sum(tokens_in + tokens_out) desc, model nulls last limit ${MAX_ROWS}`.execute(this.#db)
    return rows
  }

  async sessionsByModel(whose: Whose, days: number) {
    const { rows } = await sql<{ model: string | null; session_count: number }>`
      select model, count(*) as session_count from ${doneBy(whose, 'sessions', since(days))}
      where deleted_at is null and not is_hidden
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
      where session_id = ${sessionId} and space_id = ${userId} and created_at is not null and deleted_at is null and not is_hidden`.execute(
      this.#db,
    )
    return rows[0]
  }
}
