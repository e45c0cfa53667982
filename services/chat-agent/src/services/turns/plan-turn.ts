import { AppError } from '@youworker/contracts/errors'
import type { SpaceSealer } from '@youworker/database/sealing/sealer'
import type { ChatAgentRepositories } from '../../unit-of-work.ts'
import { continuedConversation, withCallsResolved } from '../responses/continue-run.ts'
import { readTurns } from '../runs/chat-turns.ts'
import type { Plan, RunInput } from './plan.ts'

/** With messages of its own behind those of a run or session. */
const goesOn = ({ previous_run_id, session_id, conversation }: RunInput): boolean =>
  conversation !== undefined && (previous_run_id !== undefined || Boolean(session_id))

/** What the message says. Throws when there is nothing to answer. */
export const readMessage = (input: RunInput) => (goesOn(input) && input.text_input === undefined ? undefined : readTurns(input))

/** Of a message that is sent. `said`: what {@link readMessage} found in it. */
export async function planTurn(
  repositories: ChatAgentRepositories,
  { user_id, space }: { readonly user_id: string; readonly space: SpaceSealer },
  input: RunInput,
  said: ReturnType<typeof readMessage>,
): Promise<Plan> {
  const { session_id, previous_run_id, conversation = [] } = input
  if (!goesOn(input)) {
    const { text = '', earlier = [] } = said ?? {}
    const ref = session_id || undefined
    const own = input.conversation && withCallsResolved(conversation)
    return { input, ref, text, turns: [...(ref ? [] : earlier), { role: 'user', content: text }], conversation: own }
  }
  const goingOn = await continuedConversation(repositories, { user_id, space, previous_run_id, session_id, conversation })
  const text = said?.text ?? goingOn.conversation.findLast(({ role }) => role === 'user')?.content
  if (text === undefined) throw new AppError('VALIDATION_ERROR', 'Send a message of the user: there is none before it')
  const isNew = said !== undefined || goingOn.session === undefined
  const turns = isNew ? [{ role: 'user' as const, content: text }] : []
  return { input, ref: goingOn.session, text, turns, conversation: goingOn.conversation }
}
