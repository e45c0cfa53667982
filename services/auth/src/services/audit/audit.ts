import { auth, type AuditEntry } from '@youworker/contracts/auth'
import type { AuthRepositories } from '../../unit-of-work.ts'
import type { CallContext } from '../caller.ts'

/** Adds an entry to what this transaction will leave behind: it commits with the act, or not at all. */
export function recordAudit(
  { outbox }: Pick<AuthRepositories, 'outbox'>,
  entry: Omit<AuditEntry, 'correlation_id'>,
  context: Pick<CallContext, 'correlationId' | 'traceparent'>,
): Promise<void> {
  return outbox.add(auth.auditRecorded, { ...entry, correlation_id: context.correlationId }, context)
}
