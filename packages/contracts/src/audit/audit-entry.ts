import { z } from 'zod'
import { Id } from '../common.ts'

/** A privileged action, allowed or denied. Carries ids, never text. Each service with such actions publishes them on its own subject. */
export const AuditEntry = z.object({
  actor_id: Id.nullable(),
  action: z.string().max(64),
  outcome: z.enum(['allowed', 'denied']),
  target_type: z.string().max(32),
  /** For a group member `<group_id>/<user_id>`. */
  target_id: z.string().max(128).nullable(),
  correlation_id: z.string().max(64),
})
export type AuditEntry = z.infer<typeof AuditEntry>
