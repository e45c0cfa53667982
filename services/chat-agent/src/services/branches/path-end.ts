import { AppError } from '@youworker/contracts/errors'
import type { SessionRow } from '@youworker/database/owners/chat-agent/tables'
import type { PathEnd } from '../../repositories/path.ts'
import type { ChatAgentRepositories } from '../../unit-of-work.ts'

type Session = Pick<SessionRow, 'id' | 'turn' | 'branch'>

/** Of the branch that goes on. */
export const activeEnd = ({ id: session_id, branch, turn }: Session): PathEnd => ({ session_id, branch: branch ?? 0, turn })

/** Of a branch by its id, without one of that which goes on. */
export async function pathEnd(
  repositories: Pick<ChatAgentRepositories, 'branches'>,
  session: Session,
  branch: string | null | undefined,
): Promise<PathEnd> {
  const active = activeEnd(session)
  return branch ? { ...active, branch: await branchNumber(repositories, session, branch) } : active
}

/** Throws `BRANCH_NOT_FOUND`. */
export async function branchNumber(
  { branches }: Pick<ChatAgentRepositories, 'branches'>,
  session: Pick<SessionRow, 'id'>,
  id: string,
): Promise<number> {
  if (id.toLowerCase() === session.id) return 0
  const branch = await branches.find(session.id, id)
  if (!branch) throw new AppError('BRANCH_NOT_FOUND', 'The session has no such branch; list its branches')
  return branch.number
}
