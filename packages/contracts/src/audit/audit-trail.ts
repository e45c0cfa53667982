import { z } from 'zod'
import { Id, Time } from '../common.ts'
import { event, request } from '../define.ts'
import { LIMITS } from '../limits.ts'
import { AuditEntry, RequestClient } from './audit-entry.ts'

const Seq = z.number().int().min(1)
/** SHA-256 or HMAC-SHA256 in hexadecimal. */
const Hash = z
  .hex()
  .length(64)
  .meta({ examples: ['9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'] })

/** An entry as it stands in the trail. */
export const AuditRecord = AuditEntry.extend({
  address: RequestClient.shape.address.nullable(),
  user_agent: RequestClient.shape.user_agent,
  seq: Seq,
  /** Id of the event that brought it. */
  id: Id,
  /** The service that published it, which the NATS server vouches for. */
  source: z.string(),
  /** The time of the event, if that is within 5 minutes of `recorded_at`, else `recorded_at`. */
  occurred_at: Time,
  /** By the clock of auth; `null` for entries from before the chain. */
  recorded_at: Time.nullable(),
  /** The time that an event named which came later or earlier than these 5 minutes. */
  claimed_at: Time.nullable(),
  /** Number of the key in SECURITY__AUDIT_KEY that chains the entry; `null` for entries from before the chain. */
  key_version: z.number().int().nullable(),
  hash: Hash,
}).meta({ id: 'AuditRecord' })
export type AuditRecord = z.infer<typeof AuditRecord>

/** Newest first. `before` is the `next` of the page before. `from` is included, `to` is not. */
export const AuditQuery = z.object({
  actor_id: Id.optional(),
  action: z.string().max(64).optional(),
  outcome: AuditEntry.shape.outcome.optional(),
  source: z.string().max(32).optional(),
  target_type: z.string().max(32).optional(),
  target_id: z.string().max(128).optional(),
  from: Time.optional(),
  to: Time.optional(),
  before: z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER).optional(),
  limit: z.coerce.number().int().min(1).max(LIMITS.listRows).default(50),
})
export type AuditQuery = z.infer<typeof AuditQuery>

/** `<seq>:<hash>` of an entry: where a verification goes on, and what an auditor keeps to compare the trail with later. */
export const AuditPosition = z.string().regex(/^[1-9]\d{0,15}:[0-9a-f]{64}$/, 'is `<seq>:<hash>` of an entry')

export const AuditVerdict = z
  .object({
    /** `incomplete`: intact as far as checked; go on with `after=<position>`. */
    status: z.enum(['intact', 'incomplete', 'broken']),
    /** Entries that this verification has read. */
    checked: z.number().int(),
    /** The last entry that is proved; `null` when none is. */
    position: AuditPosition.nullable(),
    /** The first entry that is wrong. */
    broken: z.object({ seq: z.number().int(), reason: z.string() }).nullable(),
  })
  .meta({ id: 'AuditVerdict' })
export type AuditVerdict = z.infer<typeof AuditVerdict>

/** The end of the trail at one moment, kept outside of the database: who cuts the trail there cannot take it back. */
export const AuditCheckpoint = z.object({
  seq: Seq,
  hash: Hash,
  key_version: z.number().int().min(1),
  /** HMAC of the other fields, with the same key. */
  mac: Hash,
})
export type AuditCheckpoint = z.infer<typeof AuditCheckpoint>

export const auditTrail = {
  /** root only. */
  listAudit: request('rpc.auth.v1.audit.list', {
    input: AuditQuery,
    output: z.object({ entries: z.array(AuditRecord), next: Seq.nullable() }),
    repeatable: true,
  }),
  /** root only. Reads a bounded number of entries, so that a long trail takes several calls. */
  verifyAudit: request('rpc.auth.v1.audit.verify', {
    input: z.object({ after: AuditPosition.optional() }),
    output: AuditVerdict,
    repeatable: true,
  }),
  auditCheckpointed: event(
    'events.auth.v1.audit.checkpointed',
    'Entries were added to the audit trail. Keep it: `youworker audit verify` compares the trail with it.',
    AuditCheckpoint,
  ),
} as const
