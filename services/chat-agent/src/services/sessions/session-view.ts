import type { Session } from '@youworker/contracts/chat-agent'
import type { Metadata } from '@youworker/contracts/common'
import { AppError } from '@youworker/contracts/errors'
import type { SessionRow } from '@youworker/database/owners/chat-agent/tables'
import type { SpaceSealer } from '@youworker/database/sealing/sealer'
import { sealContext, unsealInstructions, unsealTitle } from '../sealed-fields.ts'

export const noSession = () => new AppError('SESSION_NOT_FOUND', 'There is no such session')

/** For the audit trail. */
export const sessionAct = (action: string, sessionId: string, userId: string) =>
  ({ actor_id: userId, action, outcome: 'allowed', target_type: 'session', target_id: sessionId }) as const

export function toSession(space: SpaceSealer, row: SessionRow): Session {
  const { id, external_id, model, enable_tools, when_busy, message_count, created_at, updated_at } = row
  const title = unsealTitle(space, row)
  // Written by this service from the same type.
  const metadata = row.metadata && (JSON.parse(space.openText(row.metadata, sealContext.metadata(id))) as Metadata)
  const instructions = unsealInstructions(space, row)
  const settings = {
    title,
    model,
    enable_tools,
    when_busy,
    ...(metadata ? { metadata } : {}),
    ...(instructions ? { instructions } : {}),
    ...(row.group_id === null ? {} : { group_id: row.group_id }),
    ...(row.branch === null ? {} : { active_branch: row.branch_id ?? id }),
  }
  const { deleted_at, erase_after } = row
  const deleted = deleted_at === null || erase_after === null ? {} : { deleted_at, restorable_until: erase_after }
  return { id, external_id, ...settings, message_count, created_at, updated_at, ...deleted }
}
