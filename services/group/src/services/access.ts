import { AppError } from '@youworker/contracts/errors'
import { group } from '@youworker/contracts/group'
import { recordAudit } from '@youworker/database/events/record-audit'
import type { GroupRepositories, GroupUnitOfWork } from '../unit-of-work.ts'
import type { UserContext } from '@youworker/messaging/requests/context'

export const groupNotFound = (): AppError => new AppError('GROUP_NOT_FOUND', 'There is no such group among yours.')

/** Non-members, also root, get the same error as for a group that does not exist. */
export async function requireMember(
  { members }: Pick<GroupRepositories, 'members'>,
  groupId: string,
  userId: string,
): Promise<'admin' | 'member'> {
  const membership = await members.get(groupId, userId)
  if (!membership) throw groupNotFound()
  return membership.role
}

export async function requireAdmin(repos: Pick<GroupRepositories, 'members'>, groupId: string, userId: string): Promise<void> {
  if ((await requireMember(repos, groupId, userId)) !== 'admin') {
    throw new AppError('NOT_GROUP_ADMIN', 'Only an admin of the group may do this. Ask one of them.')
  }
}

/** A privileged act, in the terms of the audit trail. */
export interface Act {
  readonly action:
    | 'group.create'
    | 'group.update'
    | 'group.delete'
    | 'group.purge'
    | 'group.restore'
    | 'group.policy'
    | 'member.add'
    | 'member.set-role'
    | 'member.remove'
  readonly target_type: 'group' | 'member'
  readonly target_id: string
}

export const groupAct = (action: Act['action'], groupId: string): Act => ({ action, target_type: 'group', target_id: groupId })

export function recordAct(
  { outbox }: Pick<GroupRepositories, 'outbox'>,
  act: Act,
  context: UserContext,
  outcome: 'allowed' | 'denied' = 'allowed',
): void {
  const entry = { ...act, outcome, actor_id: context.caller.user_id }
  recordAudit(outbox, group.auditRecorded, entry, context)
}

/** Runs a privileged act, and audits it as denied when the caller's role does not allow it. */
export async function audited<T>(uow: GroupUnitOfWork, act: Act, context: UserContext, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof AppError && error.code === 'NOT_GROUP_ADMIN') {
      await uow.in([]).write(async (repos) => recordAct(repos, act, context, 'denied'))
    }
    throw error
  }
}
