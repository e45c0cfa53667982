import { z } from 'zod'
import { Id, Time } from './common.ts'
import { request } from './define.ts'

const Count = z.number().int().min(0)
/** One decimal; 0 when there is nothing to divide by. */
const Average = z.number().min(0)
/** Percent with one decimal; 0 when there is nothing to divide by. */
const Rate = z.number().min(0).max(100)

export const Days = z.object({ days: z.coerce.number().int().min(1).max(365).default(30) })
export const Interval = z.enum(['hour', 'day', 'week'])
export type Interval = z.infer<typeof Interval>
/** The last `days` days in parts of one `interval`. The first part begins with the period, not with the hour, day or week. */
export const Timeline = Days.extend({ interval: Interval.default('day') })
export type Timeline = z.infer<typeof Timeline>

export const ToolTimelineQuery = Timeline.extend({ tool_name: z.string().max(128).optional() })
export type ToolTimelineQuery = z.infer<typeof ToolTimelineQuery>

/** Begin of the hour, day or week (Monday) in UTC. A timeline has every one of its period, also those in which nothing happened. */
const Part = z.object({ period: Time })

export const Overview = z
  .object({
    period_days: z.number().int(),
    sessions: z.object({ total: Count, avg_per_day: Average }),
    messages: z.object({ total: Count, avg_per_session: Average }),
    tokens: z.object({ total: Count, avg_per_message: Average }),
    tools: z.object({ total_runs: Count, success_rate: Rate, avg_latency_ms: Average }),
    documents: z.object({ total: Count }),
    ingestion: z.object({ total_runs: Count }),
  })
  .meta({ id: 'Overview' })
export type Overview = z.infer<typeof Overview>

const Tokens = z.object({ tokens_in: Count, tokens_out: Count, total_tokens: Count, message_count: Count })
const ToolFigures = z.object({ total_runs: Count, successful_runs: Count, success_rate: Rate, avg_latency_ms: Average })

export const TokensTimeline = z
  .object({ interval: Interval, data: z.array(Part.extend(Tokens.shape)) })
  .meta({ id: 'TokensTimeline' })
export type TokensTimeline = z.infer<typeof TokensTimeline>

export const ToolPerformance = z
  .object({
    data: z.array(z.object({ tool_name: z.string(), ...ToolFigures.shape, min_latency_ms: Count, max_latency_ms: Count })),
  })
  .meta({ id: 'ToolPerformance' })
export type ToolPerformance = z.infer<typeof ToolPerformance>

export const ToolTimeline = z
  .object({ interval: Interval, data: z.array(Part.extend(ToolFigures.shape)) })
  .meta({ id: 'ToolTimeline' })
export type ToolTimeline = z.infer<typeof ToolTimeline>

export const IngestionTimeline = z.object({
  interval: Interval,
  timeline: z.array(
    Part.extend({ run_count: Count, total_files: Count, total_chunks: Count, success_count: Count, success_rate: Rate }),
  ),
})
export type IngestionTimeline = z.infer<typeof IngestionTimeline>

export const SessionActivity = z
  .object({
    interval: Interval,
    timeline: z.array(Part.extend({ session_count: Count, tools_enabled_count: Count, tools_enabled_rate: Rate })),
    by_model: z.array(z.object({ model: z.string().nullable(), session_count: Count })),
  })
  .meta({ id: 'SessionActivity' })
export type SessionActivity = z.infer<typeof SessionActivity>

export const SessionFigures = z
  .object({
    session_id: Id,
    model: z.string().nullable(),
    created_at: Time,
    tokens: Tokens,
    tools: ToolFigures,
  })
  .meta({ id: 'SessionFigures' })
export type SessionFigures = z.infer<typeof SessionFigures>

export const TokenQuery = z.object({
  period: z.enum(['hour', 'day', 'week', 'month', 'year']).default('month').describe('The last hour, 1, 7, 30 or 365 days'),
  model: z.string().max(128).optional(),
})
export type TokenQuery = z.infer<typeof TokenQuery>
export const TokenFigures = z
  .object({
    period: TokenQuery.shape.period,
    ...Tokens.shape,
    by_model: z.array(z.object({ model: z.string().nullable(), ...Tokens.shape })),
  })
  .meta({ id: 'TokenFigures' })
export type TokenFigures = z.infer<typeof TokenFigures>

export const Dashboard = z.object({
  overview: Overview,
  tokens_timeline: TokensTimeline,
  tool_performance: ToolPerformance,
  ingestion_stats: IngestionTimeline,
  session_activity: SessionActivity,
})
export type Dashboard = z.infer<typeof Dashboard>

/** The caller's own figures. Those of deleted sessions do not count, except for tool calls. */
export const analytics = {
  /** Document counts are of those that exist now. */
  getOverview: request('rpc.analytics.v1.overview.get', { input: Days, output: Overview, repeatable: true }),
  getTokensTimeline: request('rpc.analytics.v1.tokens.timeline', { input: Timeline, output: TokensTimeline, repeatable: true }),
  /** Tokens of all models, or of one. */
  getTokens: request('rpc.analytics.v1.tokens.get', { input: TokenQuery, output: TokenFigures, repeatable: true }),
  /** The most used tool first. */
  getToolPerformance: request('rpc.analytics.v1.tool.performance', { input: Days, output: ToolPerformance, repeatable: true }),
  getToolTimeline: request('rpc.analytics.v1.tool.timeline', {
    input: ToolTimelineQuery,
    output: ToolTimeline,
    repeatable: true,
  }),
  getIngestionTimeline: request('rpc.analytics.v1.ingestion.timeline', {
    input: Timeline,
    output: IngestionTimeline,
    repeatable: true,
  }),
  getSessionActivity: request('rpc.analytics.v1.session.activity', {
    input: Timeline,
    output: SessionActivity,
    repeatable: true,
  }),
  getSession: request('rpc.analytics.v1.session.get', {
    input: z.object({ session_id: Id }),
    output: SessionFigures,
    errors: ['SESSION_NOT_FOUND'],
    repeatable: true,
  }),
  /** The parts at one moment. */
  getDashboard: request('rpc.analytics.v1.dashboard.get', { input: Timeline, output: Dashboard, repeatable: true }),
} as const
