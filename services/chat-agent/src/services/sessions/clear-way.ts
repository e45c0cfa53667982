import { AppError } from '@youworker/contracts/errors'
import type { SessionRow } from '@youworker/database/owners/chat-agent/tables'
import type { ChatAgentRepositories } from '../../unit-of-work.ts'

interface Stopped {
  /** Runs that had not begun, and so have nobody who ends them. */
  readonly waiting: readonly string[]
  /** Some run is being worked on, and is to be told. */
  readonly isRunning: boolean
}

/** What a message does to the unfinished runs of its locked session. Throws `CONFLICT` where it has to wait for them. */
export async function clearWay(
  { runs, jobs }: Pick<ChatAgentRepositories, 'runs' | 'jobs'>,
  { id, when_busy }: Pick<SessionRow, 'id' | 'when_busy'>,
): Promise<Stopped> {
  const unfinished = when_busy === 'queue' ? [] : await runs.unfinished({ session_id: id })
  if (when_busy === 'reject' && unfinished.length > 0)
    throw new AppError('CONFLICT', 'This session is still answering; wait for it, stop it, or set when_busy of the session')
  const waiting: string[] = []
  for (const run of unfinished) {
    const job = await jobs.requestCancel(run.id)
    await runs.setStopReason(run.id, 'user')
    if (job?.status === 'cancelled') waiting.push(run.id)
  }
  return { waiting, isRunning: unfinished.length > waiting.length }
}
