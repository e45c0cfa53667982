import type { RunEntry, RunEntryBody } from '@youworker/contracts/agent/run-log'
import type { EntryRow } from '@youworker/database/owners/chat-agent/tables'
import type { SpaceSealer } from '@youworker/database/sealing/sealer'
import type { UserContext } from '@youworker/messaging/requests/context'
import type { ChatAgentRepositories } from '../../unit-of-work.ts'
import { attemptOf, entryNumber } from '../runs/transcript.ts'
import { sealContext } from '../sealed-fields.ts'
import { spokenText, type RunInput } from './plan.ts'

function transcriptEntry(input: RunInput): RunEntryBody[] {
  const text = spokenText(input)
  if (text === undefined || !input.voice) return []
  const { digest: _digest, ...how } = input.voice
  return [{ event: 'transcript', data: { text, ...how } }]
}

interface FirstEntries {
  readonly session_id: string
  readonly position: number
  /** Of a run that ends at once. */
  readonly ending?: readonly RunEntry[] | undefined
}

/** These let a stream show the run's position in the queue before a worker has claimed it. */
export async function addFirstEntries(
  { entries }: ChatAgentRepositories,
  { run_id, space, context }: { readonly run_id: string; readonly space: SpaceSealer; readonly context: UserContext },
  { session_id, position, ending = [] }: FirstEntries,
  input: RunInput,
): Promise<RunEntry[]> {
  const bodies: RunEntryBody[] = [
    { event: 'run', data: { run_id, session_id } },
    { event: 'status', data: { stage: 'queued', position } },
    ...transcriptEntry(input),
  ]
  const first = [...bodies.map((body, index) => ({ n: entryNumber(0, index + 1), body })), ...ending]
  const space_id = context.caller.user_id
  const rows = first.map(({ n, body }): EntryRow => {
    const sealed = space.sealText(JSON.stringify(body), sealContext.entry(run_id, n))
    return { run_id, n, attempt: attemptOf(n), space_id, body: sealed }
  })
  await entries.add(rows)
  return first
}
