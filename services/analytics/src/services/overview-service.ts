import type { Overview } from '@youworker/contracts/analytics'
import type { AnalyticsUnitOfWork } from '../unit-of-work.ts'

export class OverviewService {
  readonly #uow: AnalyticsUnitOfWork

  constructor(uow: AnalyticsUnitOfWork) {
    this.#uow = uow
  }

  /** Averages have one decimal and are 0 when there is nothing to divide by; the success rate is in percent. */
  async get(userId: string, days: number): Promise<Overview> {
    const totals = await this.#uow.in([userId]).read(({ overview }) => overview.totals(userId, days))
    const { sessions, messages, tokens, tool_runs, successful_tool_runs, tool_latency_ms, documents, ingestion_runs } = totals
    return {
      period_days: days,
      sessions: { total: sessions, avg_per_day: average(sessions, days) },
      messages: { total: messages, avg_per_session: average(messages, sessions) },
      tokens: { total: tokens, avg_per_message: average(tokens, messages) },
      tools: {
        total_runs: tool_runs,
        success_rate: average(successful_tool_runs * 100, tool_runs),
        avg_latency_ms: average(tool_latency_ms, tool_runs),
      },
      documents: { total: documents },
      ingestion: { total_runs: ingestion_runs },
    }
  }
}

const average = (sum: number, count: number): number => (count === 0 ? 0 : Math.round((sum / count) * 10) / 10)
