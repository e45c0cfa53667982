import type { AnalyticsTables } from '@youworker/database/owners/analytics/tables'
import { sql, type Transaction } from 'kysely'
import { broughtTo, doneBy, isSessionKept, since as sinceDays, type Whose } from './figures.ts'

export interface Totals {
  readonly sessions: number
  readonly messages: number
  readonly tokens: number
  readonly tool_runs: number
  readonly successful_tool_runs: number
  readonly tool_latency_ms: number
  readonly documents: number
  readonly ingestion_runs: number
}

export class OverviewRepository {
  readonly #db: Transaction<AnalyticsTables>

  constructor(db: Transaction<AnalyticsTables>) {
    this.#db = db
  }

  /**
   * Counts what was done in the last `days` days, and the current documents. Deleted sessions and documents do not count.
   */
  async totals(whose: Whose, days: number): Promise<Totals> {
    const since = sinceDays(days)
    const { rows } = await sql<Totals>`
      select chat.*, tools.*, sessions.*, documents.*, runs.*
      from
        (select count(*) as sessions from ${doneBy(whose, 'sessions', since)}
          where deleted_at is null and not is_hidden) sessions,
        (select count(*) filter (where role <> 'none') as messages, coalesce(sum(tokens_in + tokens_out), 0)::bigint as tokens from ${doneBy(whose, 'messages', since)}
          where ${isSessionKept}) chat,
        (select count(*) as tool_runs, count(*) filter (where status = 'success') as successful_tool_runs,
          coalesce(sum(latency_ms), 0)::bigint as tool_latency_ms from ${doneBy(whose, 'tool_runs', since)}) tools,
        (select count(*) as documents from documents
          where ${broughtTo(whose)} and ingested_at is not null and deleted_at is null and not is_hidden) documents,
        (select count(*) as ingestion_runs from ingestion_runs
          where ${broughtTo(whose)} and finished_at >= ${since}) runs`.execute(this.#db)
    const [totals] = rows
    if (!totals) throw new Error('a select of aggregates gave no row')
    return totals
  }
}
