import type {
  Dashboard,
  Days,
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
  Whose as WhoseQuery,
} from '@youworker/contracts/analytics'
import { AppError } from '@youworker/contracts/errors'
import type { UserContext } from '@youworker/messaging/requests/context'
import type { TokenSums, ToolSums, Whose } from '../repositories/figures.ts'
import type { AnalyticsRepositories } from '../unit-of-work.ts'
import { average, rate } from './averages.ts'
import type { FigureAccess } from './figure-access.ts'

const HOURS = { hour: 1, day: 24, week: 168, month: 720, year: 8_760 } as const satisfies Record<TokenQuery['period'], number>

export class FigureService {
  readonly #access: FigureAccess

  constructor(access: FigureAccess) {
    this.#access = access
  }

  overview(query: Days, context: UserContext): Promise<Overview> {
    return this.#read(query, context, (repositories, whose) => readOverview(repositories, whose, query.days))
  }

  tokensTimeline(query: Timeline, context: UserContext): Promise<TokensTimeline> {
    return this.#read(query, context, (repositories, whose) => readTokensTimeline(repositories, whose, query))
  }

  tokens(query: TokenQuery, context: UserContext): Promise<TokenFigures> {
    const { period, model } = query
    return this.#read(query, context, async ({ breakdown }, whose) => {
      const rows = await breakdown.tokensByModel(whose, { hours: HOURS[period], model })
      const by_model = rows.map((row) => ({ model: row.model, ...toTokens(row) }))
      return { period, ...toTokens(sumTokens(rows)), by_model }
    })
  }

  toolPerformance(query: Days, context: UserContext): Promise<ToolPerformance> {
    return this.#read(query, context, (repositories, whose) => readToolPerformance(repositories, whose, query.days))
  }

  toolTimeline(query: ToolTimelineQuery, context: UserContext): Promise<ToolTimeline> {
    return this.#read(query, context, async ({ timelines }, whose) => {
      const parts = await timelines.tools(whose, query)
      return { interval: query.interval, data: parts.map((part) => ({ period: part.period, ...toTools(part) })) }
    })
  }

  ingestionTimeline(query: Timeline, context: UserContext): Promise<IngestionTimeline> {
    return this.#read(query, context, (repositories, whose) => readIngestion(repositories, whose, query))
  }

  sessionActivity(query: Timeline, context: UserContext): Promise<SessionActivity> {
    return this.#read(query, context, (repositories, whose) => readSessions(repositories, whose, query))
  }

  session(sessionId: string, { caller }: UserContext): Promise<SessionFigures> {
    return this.#access.own(caller.user_id).read(async ({ breakdown }) => {
      const row = await breakdown.session(caller.user_id, sessionId)
      if (!row) throw new AppError('SESSION_NOT_FOUND', 'There is no such session')
      const { session_id, model, created_at } = row
      return { session_id, model, created_at, tokens: toTokens(row), tools: toTools(row) }
    })
  }

  dashboard(query: Timeline, context: UserContext): Promise<Dashboard> {
    return this.#read(query, context, async (repositories, whose) => ({
      overview: await readOverview(repositories, whose, query.days),
      tokens_timeline: await readTokensTimeline(repositories, whose, query),
      tool_performance: await readToolPerformance(repositories, whose, query.days),
      ingestion_stats: await readIngestion(repositories, whose, query),
      session_activity: await readSessions(repositories, whose, query),
    }))
  }

  async #read<T>(
    query: WhoseQuery,
    context: UserContext,
    work: (repositories: AnalyticsRepositories, whose: Whose) => Promise<T>,
  ): Promise<T> {
    const { whose, scope } = await this.#access.of(query, context)
    return scope.read((repositories) => work(repositories, whose))
  }
}

async function readOverview({ overview }: AnalyticsRepositories, whose: Whose, days: number): Promise<Overview> {
  const totals = await overview.totals(whose, days)
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
  whose: Whose,
  timeline: Timeline,
): Promise<TokensTimeline> {
  const parts = await timelines.tokens(whose, timeline)
  return { interval: timeline.interval, data: parts.map((part) => ({ period: part.period, ...toTokens(part) })) }
}

async function readToolPerformance({ breakdown }: AnalyticsRepositories, whose: Whose, days: number): Promise<ToolPerformance> {
  const rows = await breakdown.byTool(whose, days)
  const data = rows.map((row) => {
    const { tool_name, min_latency_ms, max_latency_ms } = row
    return { tool_name, ...toTools(row), min_latency_ms, max_latency_ms }
  })
  return { data }
}

async function readIngestion({ timelines }: AnalyticsRepositories, whose: Whose, period: Timeline): Promise<IngestionTimeline> {
  const parts = await timelines.ingestion(whose, period)
  const timeline = parts.map((part) => ({ ...part, success_rate: rate(part.success_count, part.run_count) }))
  return { interval: period.interval, timeline }
}

async function readSessions(
  { timelines, breakdown }: AnalyticsRepositories,
  whose: Whose,
  period: Timeline,
): Promise<SessionActivity> {
  const parts = await timelines.sessions(whose, period)
  const timeline = parts.map((part) => ({ ...part, tools_enabled_rate: rate(part.tools_enabled_count, part.session_count) }))
  return { interval: period.interval, timeline, by_model: await breakdown.sessionsByModel(whose, period.days) }
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
