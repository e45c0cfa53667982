import { AppError } from '@youworker/contracts/errors'
import type { SessionRow } from '@youworker/database/owners/chat-agent/tables'
import type { ChatAgentUnitOfWork } from '../../unit-of-work.ts'
import type { AnswerCache } from '../cache/answer-cache.ts'
import type { GroupPrompt, Groups } from '../ports.ts'
import { requireGroup } from '../prompts/session-prompts.ts'
import type { RunInput } from '../turns/plan.ts'

/** A message cannot take its session into another group. */
export function requireSameGroup({ group_id }: Pick<SessionRow, 'group_id'>, wanted: string | null | undefined): void {
  if (!wanted || wanted === group_id) return
  const message = 'This session is not in that group: PATCH /v1/sessions/{session_id} puts it there'
  throw new AppError('VALIDATION_ERROR', message, { details: [{ field: 'group_id', message }] })
}

/** The group of an answer, as it was just before. */
export interface KnownGroup extends GroupPrompt {
  readonly id: string
}

interface Parts {
  readonly groups: Groups
  readonly uow: ChatAgentUnitOfWork
  readonly cache: Pick<AnswerCache, 'isOn'>
}
type Wanted = Pick<RunInput, 'group_id' | 'session_id' | 'cache'>

/**
 * As far as it must be known before the answer begins: nobody is asked for that of a session when no answer is to be kept. Throws
 * `GROUP_NOT_FOUND` for everybody who is not a member of the one that is named.
 */
export async function groupOf({ groups, uow, cache }: Parts, userId: string, wanted: Wanted): Promise<KnownGroup | undefined> {
  const { group_id, session_id } = wanted
  if (group_id) return known(group_id, await requireGroup(groups, userId, group_id))
  if (!session_id || wanted.cache === false || !cache.isOn) return undefined
  const id = await uow.in([userId]).read(({ sessions }) => sessions.groupOf(userId, session_id))
  // A run waits for a group that does not answer.
  return id === null ? undefined : known(id, await groups.prompt(userId, id).catch(() => undefined))
}

const known = (id: string, prompt: GroupPrompt | undefined): KnownGroup | undefined => prompt && { id, ...prompt }
