import { newId } from '@youworker/runtime/id'
import type { ChatAgentRepositories } from '../../unit-of-work.ts'
import type { RunState } from '../runs/run-state.ts'

/** The `kind` of a job that summarises the older turns of a session. */
export const SUMMARY_KIND = 'summary'
/** Messages of a conversation that are summarised however short they are: only so many newest ones are read for an answer. */
const MANY = 80

/** Whether the next answers would have to do without older turns. A conversation that the client sends is the client's to shorten. */
export const needsSummary = ({ settings, contextUse, history }: RunState): boolean =>
  settings.conversation === undefined && (contextUse.isCrowded || history.length >= MANY)

/** Call it in the transaction that ends the run, with its session locked: one such job of a session waits or runs. */
export async function addSummaryJob(
  { jobs }: Pick<ChatAgentRepositories, 'jobs'>,
  { run, contextUse: { budget } }: Pick<RunState, 'run' | 'contextUse'>,
): Promise<void> {
  const { id: run_id, session_id, user_id, space_id } = run
  if (budget === undefined || (await jobs.unfinished(SUMMARY_KIND, session_id)) > 0) return
  const payload = { session_id, run_id, budget }
  await jobs.add({ id: newId(), kind: SUMMARY_KIND, user_id, space_id, payload, queue_key: session_id })
}
