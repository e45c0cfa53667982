import { AppError } from '@youworker/contracts/errors'
import type { SessionRow } from '@youworker/database/owners/chat-agent/tables'
import type { SpaceSealer } from '@youworker/database/sealing/sealer'
import type { RunSettings } from '../runs/run-settings.ts'
import { unsealInstructions } from '../sealed-fields.ts'

/** What a run keeps of its session as it is when the run begins. */
export const settingsOfSession = (
  space: SpaceSealer,
  session: SessionRow,
): Pick<RunSettings, 'session_instructions' | 'group_id'> => ({
  session_instructions: unsealInstructions(space, session),
  group_id: session.group_id ?? undefined,
})

/** A message cannot take its session into another group. */
export function requireSameGroup({ group_id }: Pick<SessionRow, 'group_id'>, wanted: string | null | undefined): void {
  if (!wanted || wanted === group_id) return
  const message = 'This session is not in that group: PATCH /v1/sessions/{session_id} puts it there'
  throw new AppError('VALIDATION_ERROR', message, { details: [{ field: 'group_id', message }] })
}
