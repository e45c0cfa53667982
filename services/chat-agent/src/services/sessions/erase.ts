import { chatAgent } from '@youworker/contracts/chat-agent'
import { TERMINAL } from '@youworker/contracts/common'
import type { SessionRow } from '@youworker/database/owners/chat-agent/tables'
import type { Trace } from '@youworker/messaging/requests/context'
import type { ChatAgentRepositories } from '../../unit-of-work.ts'
import { SUMMARY_KIND } from '../summaries/summary-job.ts'
import { TITLE_KIND } from '../runs/run-finisher.ts'
import { sinceMs } from '../since-ms.ts'

/** Erases a locked session with its messages, runs, entries and tool runs; an unfinished run ends as cancelled. */
export async function eraseSession(
  repositories: ChatAgentRepositories,
  session: SessionRow,
  context: Trace | undefined,
): Promise<void> {
  const { sessions, runs, jobs, outbox } = repositories
  for (const kind of [SUMMARY_KIND, TITLE_KIND]) await jobs.deleteQueued(kind, session.id)
  await eraseRuns(repositories, await runs.idsOfSession(session.id), context)
  await sessions.delete(session.id)
  outbox.add(chatAgent.sessionDeleted, { session_id: session.id, user_id: session.user_id }, context)
}

/** Ends runs of a locked session and takes their jobs away. The caller deletes their rows. */
export async function eraseRuns(
  { runs, jobs, outbox }: ChatAgentRepositories,
  ids: readonly string[],
  context: Trace | undefined,
) {
  for (const id of ids) await jobs.delete(id)
  for (const run of await runs.lock(ids)) {
    if (TERMINAL.includes(run.status)) continue
    const { id: run_id, user_id, session_id, grant_id, tokens_in, tokens_out } = run
    const end = { run_id, user_id, session_id, grant_id, tokens_in, tokens_out, duration_ms: sinceMs(run.created_at) }
    outbox.add(chatAgent.runFinished, { ...end, status: 'cancelled' }, context)
  }
}
