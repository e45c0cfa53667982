import { chatAgent } from '@youworker/contracts/chat-agent'
import type { SessionRow } from '@youworker/database/owners/chat-agent/tables'
import type { SpaceSealer } from '@youworker/database/sealing/sealer'
import type { UserContext } from '@youworker/messaging/requests/context'
import { newId } from '@youworker/runtime/id'
import type { ChatAgentRepositories } from '../../unit-of-work.ts'
import type { StoredMessage } from '../runs/load-run.ts'
import { sealContext } from '../sealed-fields.ts'
import { modelOf, type Plan } from './plan.ts'

/** Stores what a run begins with. */
export async function addMessages(
  { messages, outbox }: ChatAgentRepositories,
  { run_id, space, context }: { readonly run_id: string; readonly space: SpaceSealer; readonly context: UserContext },
  session: SessionRow,
  plan: Plan,
): Promise<readonly StoredMessage[]> {
  const { user_id } = context.caller
  const { id: session_id, space_id, turn, branch: active } = session
  const used = { tokens_in: 0, tokens_out: 0 }
  const place = { space_id, session_id, run_id, turn, branch: active ?? 0 }
  const rows = plan.turns.map(({ role, content }) => {
    const id = newId()
    return { id, ...place, role, content: space.sealText(content, sealContext.message(id)), ...used }
  })
  const model = modelOf(plan, session)
  for (const { id: message_id, role } of rows)
    outbox.add(chatAgent.messageCreated, { message_id, session_id, user_id, role, model, ...used }, context)
  await messages.add(rows)
  return rows
}
