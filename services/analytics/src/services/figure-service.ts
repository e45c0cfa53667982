import type {
  Dashboard,
  IngestionTimeline,
  Overview,
  SessionActivity,
  SessionFigures,
  Timeline,
  TokenFigures,
  TokenQuery,
  TokensTimeline,
  ToolPerformance,
  ToolTimeline,
  ToolTimelineQuery,
} from '@youworker/contracts/analytics'
import { AppError } from '@youworker/contracts/errors'
import type { TokenSums, ToolSums } from '../repositories/figures.ts'
import type { AnalyticsRepositories, AnalyticsUnitOfWork } from '../unit-of-work.ts'
import { average, rate } from './averages.ts'

const HOURS = { hour: 1, day: 24, week: 168, month: 720, year: 8_760 } as const satisfies Record<TokenQuery['period'], number>

/** The figures of one user. */
export class FigureService {
  readonly #uow: AnalyticsUnitOfWork

  constructor(uow: AnalyticsUnitOfWork) {
    this.#uow = uow
  }

  overview(userId: string, days: number): Promise<Overview> {
    return this.#read(userId, (repositories) => readOverview(repositories, userId, days))
  }

  tokensTimeline(userId: string, timeline: Timeline): Promise<TokensTimeline> {
    return this.#read(userId, (repositories) => readTokensTimeline(repositories, userId, timeline))
  }

  tokens(userId: string, { period, model }: TokenQuery): Promise<TokenFigures> {
    return this.#read(userId, async ({ breakdown }) => {
      const rows = await breakdown.tokensByModel(userId, { hours: HOURS[period], model })
      const by_model = rows.map((row) => ({ model: row.model, ...toTokens(row) }))
      return { period, ...toTokens(sumTokens(rows)), by_model }
    })
  }

  toolPerformance(userId: string, days: number): Promise<ToolPerformance> {
    return this.#read(userId, (repositories) => readToolPerformance(repositories, userId, days))
  }

  toolTimeline(userId: string, query: ToolTimelineQuery): Promise<ToolTimeline> {
    return this.#read(userId, async ({ timelines }) => {
      const parts = await timelines.tools(userId, query)
      return { interval: query.interval, data: parts.map((part) => ({ period: part.period, ...toTools(part) })) }
    })
  }

  ingestionTimeline(userId: string, timeline: Timeline): Promise<IngestionTimeline> {
    return this.#read(userId, (repositories) => readIngestion(repositories, userId, timeline))
  }

  sessionActivity(userId: string, timeline: Timeline): Promise<SessionActivity> {
    return this.#read(userId, (repositories) => readSessions(repositories, userId, timeline))
  }

  session(userId: string, sessionId: string): Promise<SessionFigures> {
    return this.#read(userId, async ({ breakdown }) => {
      const row = await breakdown.session(userId, sessionId)
      if (!row) throw new AppError('SESSION_NOT_FOUND', 'There is no such session')
      const { session_id, model, created_at } = row
      return { session_id, model, created_at, tokens: toTokens(row), tools: toTools(row) }
    })
  }

  dashboard(userId: string, timeline: Timeline): Promise<Dashboard> {
    return this.#read(userId, async (repositories) => ({
      overview: await readOverview(repositories, userId, timeline.days),
      tokens_timeline: await readTokensTimeline(repositories, userId, timeline),
      tool_performance: await readToolPerformance(repositories, userId, timeline.days),
      ingestion_stats: await readIngestion(repositories, userId, timeline),
      session_activity: await readSessions(repositories, userId, timeline),
    }))
  }

  #read<T>(userId: string, work: (repositories: AnalyticsRepositories) => Promise<T>): Promise<T> {
    return this.#uow.in([userId]).read(work)
  }
}

async function readOverview({ overview }: AnalyticsRepositories, userId: string, days: number): Promise<Overview> {
  const totals = await overview.totals(userId, days)
  const { sessions, messages, tokens, tool_runs, successful_tool_runs, tool_latency_ms, documents, ingestion_runs } = totals
  return {
    period_days: days,
    sessions: { total: sessions, avg_per_day: average(sessions, days) },
    messages: { total: messages, avg_per_session: average(messages, sessions) },
    tokens: { total: tokens, avg_per_message: average(tokens, messages) },
    tools: {
      total_runs: tool_runs,
      success_rate: rate(successful_tool_runs, tool_runs),
      avg_latency_ms: average(tool_latency_ms, tool_runs),
    },
    documents: { total: documents },
    ingestion: { total_runs: ingestion_runs },
  }
}

async function readTokensTimeline(
  { timelines }: AnalyticsRepositories,
  userId: string,
  timeline: Timeline,
): Promise<TokensTimeline> {
  const parts = await timelines.tokens(userId, timeline)
  return { interval: timeline.interval, data: parts.map((part) => ({ period: part.period, ...toTokens(part) })) }
}

async function readToolPerformance({ breakdown }: AnalyticsRepositories, userId: string, days: number): Promise<ToolPerformance> {
  const rows = await breakdown.byTool(userId, days)
  const data = rows.map((row) => {
    const { tool_name, min_latency_ms, max_latency_ms } = row
    return { tool_name, ...toTools(row), min_latency_ms, max_latency_ms }
  })
  return { data }
}

async function readIngestion({ timelines }: AnalyticsRepositories, userId: string, period: Timeline): Promise<IngestionTimeline> {
  const parts = await timelines.ingestion(userId, period)
  const timeline = parts.map((part) => ({ ...part, success_rate: rate(part.success_count, part.run_count) }))
  return { interval: period.interval, timeline }
}

async function readSessions(
  { timelines, breakdown }: AnalyticsRepositories,
  userId: string,
  period: Timeline,
): Promise<SessionActivity> {
  const parts = await timelines.sessions(userId, period)
  const timeline = parts.map((part) => ({ ...part, tools_enabled_rate: rate(part.tools_enabled_count, part.session_count) }))
  return { interval: period.interval, timeline, by_model: await breakdown.sessionsByModel(userId, period.days) }
}

const toTokens = ({ tokens_in, tokens_out, message_count }: TokenSums) => ({
  tokens_in,
  tokens_out,
  total_tokens: tokens_in + tokens_out,
  message_count,
})

const toTools = ({ total_runs, successful_runs, latency_ms }: ToolSums) => ({
  total_runs,
  successful_runs,
  success_rate: rate(successful_runs, total_runs),
  avg_latency_ms: average(latency_ms, total_runs),
})

function sumTokens(rows: readonly TokenSums[]): TokenSums {
  let [tokens_in, tokens_out, message_count] = [0, 0, 0]
  for (const row of rows) {
    tokens_in += row.tokens_in
    tokens_out += row.tokens_out
    message_count += row.message_count
  }
  return { tokens_in, tokens_out, message_count }
}
