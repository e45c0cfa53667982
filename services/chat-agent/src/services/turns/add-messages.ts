import { chatAgent } from '@youworker/contracts/chat-agent'
import type { SessionRow } from '@youworker/database/owners/chat-agent/tables'
import type { SpaceSealer } from '@youworker/database/sealing/sealer'
import type { UserContext } from '@youworker/messaging/requests/context'
import { newId } from '@youworker/runtime/id'
import type { ChatAgentRepositories } from '../../unit-of-work.ts'
import type { Turn } from '../runs/chat-turns.ts'
import type { StoredMessage } from '../runs/load-run.ts'
import { sealContext } from '../sealed-fields.ts'

interface Adding {
  readonly run_id: string
  readonly input: { readonly model?: string | null | undefined }
  readonly space: SpaceSealer
  readonly context: UserContext
}

/** Adds messages to a session in its turn. Their events are added before anything is sent. */
export async function addMessages(
  { messages, outbox }: ChatAgentRepositories,
  { run_id, input, space, context }: Adding,
  { id: session_id, space_id, turn, model: usual }: SessionRow,
  turns: readonly (Turn & { readonly id?: string })[],
): Promise<readonly StoredMessage[]> {
  const { user_id } = context.caller
  const used = { tokens_in: 0, tokens_out: 0 }
  const rows = turns.map(({ id = newId(), role, content }) => {
    return { id, space_id, session_id, run_id, turn, role, content: space.sealText(content, sealContext.message(id)), ...used }
  })
  const model = input.model ?? usual
  for (const { id: message_id, role } of rows)
    outbox.add(chatAgent.messageCreated, { message_id, session_id, user_id, role, model, ...used }, context)
  await messages.add(rows)
  return rows
}
