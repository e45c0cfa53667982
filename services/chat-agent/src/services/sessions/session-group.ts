import { AppError } from '@youworker/contracts/errors'
import type { SessionRow } from '@youworker/database/owners/chat-agent/tables'

/** A message cannot take its session into another group. */
export function requireSameGroup({ group_id }: Pick<SessionRow, 'group_id'>, wanted: string | null | undefined): void {
  if (!wanted || wanted === group_id) return
  const message = 'This session is not in that group: PATCH /v1/sessions/{session_id} puts it there'
  throw new AppError('VALIDATION_ERROR', message, { details: [{ field: 'group_id', message }] })
}
