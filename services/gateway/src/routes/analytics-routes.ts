import {
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
  type Whose,
} from '@youworker/contracts/analytics'
import { Id } from '@youworker/contracts/common'
import { AppError, ERROR_STATUS } from '@youworker/contracts/errors'
import { CollectionSum } from '@youworker/contracts/documents/documents'
import { z } from 'zod'
import type { Clients } from '../clients.ts'
import { defineRoute } from '../http/define-route.ts'
import type { RequestContext } from '../http/request-context.ts'

type Analytics = Pick<Clients, 'analytics'>
type AnalyticsAndIngestion = Pick<Clients, 'analytics' | 'ingestion'>

const IngestionStats = IngestionTimeline.extend({
  by_collection: z
    .array(CollectionSum.extend({ total_mb: z.number() }))
    .describe('Of the documents that exist now. Empty for the installation: names of collections are text of their owners'),
  incomplete: z.array(z.string()).optional(),
}).meta({ id: 'IngestionStats' })

const BYTES_PER_MB = 1024 * 1024

/** Only ingestion knows collections. While it is away, the rest is answered. */
async function byCollection({ group_id, scope }: Whose, context: RequestContext, { ingestion }: Pick<Clients, 'ingestion'>) {
  if (scope === 'installation') return { by_collection: [] }
  try {
    const { collections } = await ingestion.as(context.scope).sumCollections({ group_id })
    const rounded = (bytes: number) => Math.round((bytes / BYTES_PER_MB) * 100) / 100
    return { by_collection: collections.map((sum) => ({ ...sum, total_mb: rounded(sum.total_bytes) })) }
  } catch (error) {
    if (!(error instanceof AppError) || ERROR_STATUS[error.code] < 500) throw error
    return { by_collection: [], incomplete: ['ingestion'] }
  }
}

const own = { method: 'GET', tag: 'analytics', auth: 'required', csrf: 'none', limit: 'default' } as const
/** Also of a group, for its admins, and of the installation, for root: analytics checks that. */
const common = { ...own, errors: ['GROUP_NOT_FOUND', 'NOT_GROUP_ADMIN'] } as const

export const analyticsRoutes = [
  defineRoute({
    ...common,
    path: '/v1/analytics/overview',
    operation: 'getOverview',
    summary: "Figures in all: the caller's own, a group's or the installation's",
    query: Days,
    answer: Overview,
    handle: ({ query, context }, { analytics }: Analytics) => analytics.as(context.scope).getOverview(query),
  }),
  defineRoute({
    ...common,
    path: '/v1/analytics/dashboard',
    operation: 'getDashboard',
    summary: 'Overview, timelines and tools at one moment',
    query: Timeline,
    answer: Dashboard.extend({ ingestion_stats: IngestionStats }).meta({ id: 'Dashboard' }),
    handle: async ({ query, context }, { analytics, ingestion }: AnalyticsAndIngestion) => {
      const [dashboard, collections] = await Promise.all([
        analytics.as(context.scope).getDashboard(query),
        byCollection(query, context, { ingestion }),
      ])
      return { ...dashboard, ingestion_stats: { ...dashboard.ingestion_stats, ...collections } }
    },
  }),
  defineRoute({
    ...common,
    path: '/v1/analytics/tokens-timeline',
    operation: 'getTokensTimeline',
    summary: 'Tokens by hour, day or week',
    query: Timeline,
    answer: TokensTimeline,
    handle: ({ query, context }, { analytics }: Analytics) => analytics.as(context.scope).getTokensTimeline(query),
  }),
  defineRoute({
    ...common,
    path: '/v1/analytics/tokens',
    operation: 'getTokens',
    summary: 'Tokens of a period, by model',
    query: TokenQuery,
    answer: TokenFigures,
    handle: ({ query, context }, { analytics }: Analytics) => analytics.as(context.scope).getTokens(query),
  }),
  defineRoute({
    ...common,
    path: '/v1/analytics/tool-performance',
    operation: 'getToolPerformance',
    summary: 'Success and latency of each tool',
    query: Days,
    answer: ToolPerformance,
    handle: ({ query, context }, { analytics }: Analytics) => analytics.as(context.scope).getToolPerformance(query),
  }),
  defineRoute({
    ...common,
    path: '/v1/analytics/tool-timeline',
    operation: 'getToolTimeline',
    summary: 'Tool calls by hour, day or week',
    query: ToolTimelineQuery,
    answer: ToolTimeline,
    handle: ({ query, context }, { analytics }: Analytics) => analytics.as(context.scope).getToolTimeline(query),
  }),
  defineRoute({
    ...common,
    path: '/v1/analytics/ingestion-stats',
    operation: 'getIngestionStats',
    summary: 'Ingestion runs by hour, day or week, and documents by collection',
    query: Timeline,
    answer: IngestionStats,
    handle: async ({ query, context }, { analytics, ingestion }: AnalyticsAndIngestion) => {
      const [timeline, collections] = await Promise.all([
        analytics.as(context.scope).getIngestionTimeline(query),
        byCollection(query, context, { ingestion }),
      ])
      return { ...timeline, ...collections }
    },
  }),
  defineRoute({
    ...common,
    path: '/v1/analytics/session-activity',
    operation: 'getSessionActivity',
    summary: 'New conversations by hour, day or week, and by model',
    query: Timeline,
    answer: SessionActivity,
    handle: ({ query, context }, { analytics }: Analytics) => analytics.as(context.scope).getSessionActivity(query),
  }),
  defineRoute({
    ...own,
    path: '/v1/analytics/sessions/{session_id}',
    operation: 'getSessionFigures',
    summary: 'Tokens and tool calls of one conversation',
    params: z.object({ session_id: Id }),
    answer: SessionFigures,
    errors: ['SESSION_NOT_FOUND'],
    handle: ({ params, context }, { analytics }: Analytics) => analytics.as(context.scope).getSession(params),
  }),
]
