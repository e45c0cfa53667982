import { z } from 'zod'
import { AuditEntry } from './audit/audit-entry.ts'
import { Id, Time } from './common.ts'
import { event, request } from './define.ts'

const Count = z.number().int().min(0)
/** One decimal; 0 when there is nothing to divide by. */
const Average = z.number().min(0)
/** Percent with one decimal; 0 when there is nothing to divide by. */
const Rate = z.number().min(0).max(100)

/** Whose figures. Without both, the caller's own. */
export const Whose = z.object({
  group_id: Id.optional().describe('Of this group, for its admins: what its members did since they joined, and its documents'),
  scope: z.enum(['own', 'installation']).optional().describe("The caller's own (default), or everybody's, for root"),
})
export type Whose = z.infer<typeof Whose>
const isOfOne = ({ group_id, scope }: Whose): boolean => group_id === undefined || scope === undefined
const OF_ONE = { path: ['scope'], error: 'give group_id or scope, not both' }

const DaysQuery = Whose.extend({ days: z.coerce.number().int().min(1).max(365).default(30) })
export const Days = DaysQuery.refine(isOfOne, OF_ONE)
export type Days = z.infer<typeof Days>
export const Interval = z.enum(['hour', 'day', 'week'])
export type Interval = z.infer<typeof Interval>
const TimelineQuery = DaysQuery.extend({ interval: Interval.default('day') })
/** The last `days` days in parts of one `interval`. The first part begins with the period, not with the hour, day or week. */
export const Timeline = TimelineQuery.refine(isOfOne, OF_ONE)
export type Timeline = z.infer<typeof Timeline>

export const ToolTimelineQuery = TimelineQuery.extend({ tool_name: z.string().max(128).optional() }).refine(isOfOne, OF_ONE)
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

export const TokenQuery = Whose.extend({
  period: z.enum(['hour', 'day', 'week', 'month', 'year']).default('month').describe('The last hour, 1, 7, 30 or 365 days'),
  model: z.string().max(128).optional(),
}).refine(isOfOne, OF_ONE)
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

const figures = <I extends z.ZodType, O extends z.ZodType>(subject: string, input: I, output: O) =>
  request(subject, { input, output, errors: ['GROUP_NOT_FOUND', 'NOT_GROUP_ADMIN'], repeatable: true })

/** Figures of {@link Whose}. Those of deleted sessions do not count, except for tool calls. */
export const analytics = {
  /** Document counts are of those that exist now. */
  getOverview: figures('rpc.analytics.v1.overview.get', Days, Overview),
  getTokensTimeline: figures('rpc.analytics.v1.tokens.timeline', Timeline, TokensTimeline),
  /** Tokens of all models, or of one. */
  getTokens: figures('rpc.analytics.v1.tokens.get', TokenQuery, TokenFigures),
  /** The most used tool first. */
  getToolPerformance: figures('rpc.analytics.v1.tool.performance', Days, ToolPerformance),
  getToolTimeline: figures('rpc.analytics.v1.tool.timeline', ToolTimelineQuery, ToolTimeline),
  getIngestionTimeline: figures('rpc.analytics.v1.ingestion.timeline', Timeline, IngestionTimeline),
  getSessionActivity: figures('rpc.analytics.v1.session.activity', Timeline, SessionActivity),
  /** The caller's own only. */
  getSession: request('rpc.analytics.v1.session.get', {
    input: z.object({ session_id: Id }),
    output: SessionFigures,
    errors: ['SESSION_NOT_FOUND'],
    repeatable: true,
  }),
  /** The parts at one moment. */
  getDashboard: figures('rpc.analytics.v1.dashboard.get', Timeline, Dashboard),

  auditRecorded: event(
    'events.analytics.v1.audit.recorded',
    'Figures of a group or of the installation were read, or somebody was not allowed to.',
    AuditEntry,
  ),
} as const
