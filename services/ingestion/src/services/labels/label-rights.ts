import { AppError } from '@youworker/contracts/errors'
import { ingestion } from '@youworker/contracts/ingestion'
import { recordAudit } from '@youworker/database/events/record-audit'
import type { UserContext } from '@youworker/messaging/requests/context'
import type { IngestionUnitOfWork } from '../../unit-of-work.ts'
import { type CheckSpace, whileGroupsAnswer } from '../space-access.ts'

export type LabelAct = Omit<Parameters<typeof recordAudit>[2], 'outcome'>

interface Asked {
  readonly spaceId: string
  readonly act: LabelAct
  readonly notThere: () => AppError
}

/** Everybody changes the labels of their own space, and the admins those of a group. Who tried and may not is audited. */
export async function requireLabelRights(
  { uow, checkSpace }: { readonly uow: IngestionUnitOfWork; readonly checkSpace: CheckSpace },
  { spaceId, act, notThere }: Asked,
  context: UserContext,
): Promise<void> {
  const { user_id } = context.caller
  if (spaceId === user_id) return
  const { allowed, role } = await whileGroupsAnswer(() => checkSpace(user_id, spaceId))
  if (!allowed) throw notThere()
  if (role === 'admin') return
  await uow
    .in([user_id])
    .write(async ({ outbox }) => recordAudit(outbox, ingestion.auditRecorded, { ...act, outcome: 'denied' }, context))
  throw new AppError('NOT_GROUP_ADMIN', 'Only an admin of the group may change its tags and collections; ask one of them')
}
