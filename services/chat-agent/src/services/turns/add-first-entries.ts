import type { RunEntry, RunEntryBody } from '@youworker/contracts/agent/run-log'
import type { EntryRow } from '@youworker/database/owners/chat-agent/tables'
import type { SpaceSealer } from '@youworker/database/sealing/sealer'
import type { UserContext } from '@youworker/messaging/requests/context'
import type { ChatAgentRepositories } from '../../unit-of-work.ts'
import { entryNumber } from '../runs/transcript.ts'
import { sealContext } from '../sealed-fields.ts'
import type { RunInput } from './plan.ts'

const heard = (text: string, { digest: _digest, ...how }: NonNullable<RunInput['voice']>): RunEntryBody => ({
  event: 'transcript',
  data: { text, ...how },
})

/** These let a stream show the run's position in the queue before a worker has claimed it. */
export async function addFirstEntries(
  { entries }: ChatAgentRepositories,
  { run_id, space, context }: { readonly run_id: string; readonly space: SpaceSealer; readonly context: UserContext },
  { session_id, position }: { readonly session_id: string; readonly position: number },
  { voice, text_input }: RunInput,
): Promise<RunEntry[]> {
  const bodies: RunEntryBody[] = [
    { event: 'run', data: { run_id, session_id } },
    { event: 'status', data: { stage: 'queued', position } },
    ...(voice && text_input !== undefined ? [heard(text_input, voice)] : []),
  ]
  const first = bodies.map((body, index) => ({ n: entryNumber(0, index + 1), body }))
  const space_id = context.caller.user_id
  const rows = first.map(({ n, body }): EntryRow => {
    return { run_id, n, attempt: 0, space_id, body: space.sealText(JSON.stringify(body), sealContext.entry(run_id, n)) }
  })
  await entries.add(rows)
  return first
}
