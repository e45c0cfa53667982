import { z } from 'zod'
import { Id, Nothing } from './common.ts'
import { request } from './define.ts'

export const ComponentHealth = z.object({
  name: z.string(),
  status: z.enum(['ok', 'degraded', 'down']),
  latency_ms: z.number(),
  /** What is wrong and what to do. */
  message: z.string().optional(),
})
export type ComponentHealth = z.infer<typeof ComponentHealth>

/** What each replica of a service tells about itself about once a second. */
export const Announcement = z.object({
  replica: Id,
  ready: z.boolean(),
  /** `host:port` of its /metrics. */
  metrics: z
    .string()
    .max(260)
    .regex(/^[\w.[\]:-]+:\d{1,5}$/)
    .optional(),
  /** It has ended, as it was asked to. */
  ended: z.boolean().optional(),
})
export type Announcement = z.infer<typeof Announcement>

/** Reports the health of a service and its dependencies. Every service serves this contract. */
export const healthContract = <S extends string>(service: S) =>
  ({
    checkHealth: request(`rpc.${service}.v1.health.check`, {
      auth: 'none',
      input: Nothing,
      output: z.object({ components: z.array(ComponentHealth) }),
      deadlineMs: 2_000,
      repeatable: true,
    }),
  }) as const
