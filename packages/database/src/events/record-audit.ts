import type { AuditedAct, AuditEntry, RequestClient } from '@youworker/contracts/audit/audit-entry'
import type { Event } from '@youworker/contracts/define'
import type { Outbox } from './outbox.ts'

interface Origin {
  readonly correlationId: string
  readonly traceparent: string
  readonly client?: RequestClient | undefined
}

/** Adds an audit entry to the transaction of the act that it records: both are committed, or neither. `event`: the service's own. */
export function recordAudit(
  outbox: Outbox,
  event: Event<typeof AuditEntry>,
  act: AuditedAct,
  { correlationId, traceparent, client }: Origin,
): void {
  outbox.add(event, { ...act, ...client, correlation_id: correlationId }, { correlationId, traceparent })
}
