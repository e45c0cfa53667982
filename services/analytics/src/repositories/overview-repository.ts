import type { AnalyticsTables } from '@youworker/database/owners/analytics/tables'
import { sql, type Transaction } from 'kysely'
import { isSessionKept, since as sinceDays } from './figures.ts'

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
   * Counts what one user did in the last `days` days, and their current documents. Deleted sessions and documents do not count.
   */
  async totals(userId: string, days: number): Promise<Totals> {
    const since = sinceDays(days)
    const { rows } = await sql<Totals>`
      select chat.*, tools.*, sessions.*, documents.*, runs.*
      from
        (select count(*) as sessions from sessions
          where space_id = ${userId} and created_at >= ${since} and deleted_at is null) sessions,
        (select count(*) filter (where role <> 'none') as messages, coalesce(sum(tokens_in + tokens_out), 0)::bigint as tokens from messages
          where space_id = ${userId} and created_at >= ${since} and ${isSessionKept}) chat,
        (select count(*) as tool_runs, count(*) filter (where status = 'success') as successful_tool_runs,
          coalesce(sum(latency_ms), 0)::bigint as tool_latency_ms from tool_runs
          where space_id = ${userId} and finished_at >= ${since}) tools,
        (select count(*) as documents from documents
          where space_id = ${userId} and ingested_at is not null and deleted_at is null) documents,
        (select count(*) as ingestion_runs from ingestion_runs
          where space_id = ${userId} and finished_at >= ${since}) runs`.execute(this.#db)
    const [totals] = rows
    if (!totals) throw new Error('a select of aggregates gave no row')
    return totals
  }
}
