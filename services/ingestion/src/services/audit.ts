import { ingestion } from '@youworker/contracts/ingestion'
import type { IngestionRepositories } from '../unit-of-work.ts'
import type { UserContext } from './user-context.ts'

interface Act {
  readonly action: string
  readonly outcome: 'allowed' | 'denied'
  readonly target: readonly [type: string, id: string]
}

/** Notes a privileged act in the transaction that does it. */
export async function recordAudit(
  outbox: IngestionRepositories['outbox'],
  { caller, correlationId, traceparent }: UserContext,
  { action, outcome, target: [target_type, target_id] }: Act,
): Promise<void> {
  const entry = { actor_id: caller.user_id, action, outcome, target_type, target_id, correlation_id: correlationId }
  await outbox.add(ingestion.auditRecorded, entry, { correlationId, traceparent })
}
