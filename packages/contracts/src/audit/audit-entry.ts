import { z } from 'zod'
import { Id } from '../common.ts'

/** From where a request came to the gateway. */
export const RequestClient = z.object({
  /** Canonical: IPv4-mapped IPv6 as IPv4, without zone and port. Behind trusted proxies the one that they report. */
  address: z.string().max(64),
  /** What the client calls itself, in printable ASCII; `null` when it says nothing. */
  user_agent: z.string().max(256).nullable(),
})
export type RequestClient = z.infer<typeof RequestClient>

/** A privileged action, allowed or denied. Carries ids, never text. Each service with such actions publishes them on its own subject. */
export const AuditEntry = z.object({
  actor_id: Id.nullable(),
  action: z.string().max(64),
  outcome: z.enum(['allowed', 'denied']),
  target_type: z.string().max(32),
  /** For a group member `<group_id>/<user_id>`. */
  target_id: z.string().max(128).nullable(),
  correlation_id: z.string().max(64),
  /** `null`: nobody asked, the system acted by itself. Missing in events of versions before it, like `user_agent`. */
  address: RequestClient.shape.address.nullish(),
  user_agent: RequestClient.shape.user_agent.optional(),
})
export type AuditEntry = z.infer<typeof AuditEntry>

/** The part of an entry that does not follow from its request. */
export type AuditedAct = Omit<AuditEntry, 'correlation_id' | keyof RequestClient>
