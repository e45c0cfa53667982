import type { AuditEntry } from '@youworker/contracts/audit/audit-entry'
import { chatAgent } from '@youworker/contracts/chat-agent'
import { AppError } from '@youworker/contracts/errors'
import { recordAudit } from '@youworker/database/events/record-audit'
import type { UserContext } from '@youworker/messaging/requests/context'
import type { ChatAgentRepositories, ChatAgentUnitOfWork } from '../../unit-of-work.ts'

/** A privileged act, in the terms of the audit trail. */
export interface Act {
  readonly action: string
  readonly target_type: 'model_backend' | 'model_pull'
  readonly target_id: string | null
}

/** Does what only root may do, and records it in the same transaction. An attempt of anybody else is recorded too. */
export async function asRoot<T>(
  uow: ChatAgentUnitOfWork,
  act: Act,
  context: UserContext,
  work: (repositories: ChatAgentRepositories) => Promise<T>,
): Promise<T> {
  const record = ({ outbox }: Pick<ChatAgentRepositories, 'outbox'>, outcome: AuditEntry['outcome']) =>
    recordAudit(outbox, chatAgent.auditRecorded, { ...act, outcome, actor_id: context.caller.user_id }, context)
  if (!context.caller.is_root) {
    await uow.in([]).write(async (repositories) => record(repositories, 'denied'))
    throw new AppError('NOT_AUTHORIZED', 'Only root may do this.')
  }
  return uow.in([]).write(async (repositories) => {
    const result = await work(repositories)
    record(repositories, 'allowed')
    return result
  })
}
