import type { AuditEntry } from '@youworker/contracts/audit/audit-entry'
import { auth } from '@youworker/contracts/auth'
import { AppError } from '@youworker/contracts/errors'
import { recordAudit } from '@youworker/database/events/record-audit'
import type { Caller, Trace } from '@youworker/messaging/requests/context'
import { type AuthRepositories, type AuthUnitOfWork, NO_SPACES } from '../../unit-of-work.ts'

/** A privileged act, in the terms of the audit trail. */
export interface Act {
  readonly action: string
  readonly target_type: 'user' | 'api_key'
  readonly target_id: string | null
}
export type Actor = Pick<Caller, 'user_id' | 'is_root'>

/** Records an act in the transaction that does it. `actor` is `null` when the system did it by itself. */
export const recordAct = (
  { outbox }: Pick<AuthRepositories, 'outbox'>,
  act: Act,
  actor: Pick<Actor, 'user_id'> | null,
  trace: Trace,
  outcome: AuditEntry['outcome'] = 'allowed',
): void => recordAudit(outbox, auth.auditRecorded, { ...act, outcome, actor_id: actor?.user_id ?? null }, trace)

/** Records the attempt, then throws. */
export async function deny(uow: AuthUnitOfWork, act: Act, actor: Actor, trace: Trace, error: AppError): Promise<never> {
  await uow.in(NO_SPACES).write(async (repos) => recordAct(repos, act, actor, trace, 'denied'))
  throw error
}

/** Everybody else is refused alike, whether the target exists or not. */
export async function requireRoot(uow: AuthUnitOfWork, act: Act, actor: Actor, trace: Trace): Promise<void> {
  if (actor.is_root) return
  await deny(uow, act, actor, trace, new AppError('NOT_AUTHORIZED', 'Only root may do this.'))
}
