import { z } from 'zod'
import { request } from './define.ts'

const Count = z.number().int().min(0)
export const Days = z.object({ days: z.coerce.number().int().min(1).max(365).default(30) })

export const Overview = z
  .object({
    period_days: z.number().int(),
    sessions: z.object({ total: Count, avg_per_day: z.number() }),
    messages: z.object({ total: Count, avg_per_session: z.number() }),
    tokens: z.object({ total: Count, avg_per_message: z.number() }),
    tools: z.object({ total_runs: Count, success_rate: z.number(), avg_latency_ms: z.number() }),
    documents: z.object({ total: Count }),
    ingestion: z.object({ total_runs: Count }),
  })
  .meta({ id: 'Overview' })
export type Overview = z.infer<typeof Overview>

export const analytics = {
  /** The caller's own figures of the last `days` days. Document counts are of those that exist now. */
  getOverview: request('rpc.analytics.v1.overview.get', { input: Days, output: Overview, repeatable: true }),
} as const
