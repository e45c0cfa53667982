import { z } from 'zod'
import { Id, Time } from '../common.ts'

/** CloudEvents 1.0, structured JSON. `type` is the subject; `correlationid` and `traceparent` are extensions. */
export const EventEnvelope = z.object({
  specversion: z.literal('1.0'),
  id: Id,
  source: z.string(),
  type: z.string(),
  time: Time,
  datacontenttype: z.literal('application/json'),
  correlationid: z.string().optional(),
  traceparent: z.string().optional(),
  data: z.record(z.string(), z.unknown()),
})
export type EventEnvelope = z.infer<typeof EventEnvelope>
