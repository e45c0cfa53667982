import { chatAgent } from '@youworker/contracts/chat-agent'
import type { SessionRow } from '@youworker/database/owners/chat-agent/tables'
import type { SpaceSealer } from '@youworker/database/sealing/sealer'
import type { UserContext } from '@youworker/messaging/requests/context'
import { newId } from '@youworker/runtime/id'
import type { ChatAgentRepositories } from '../../unit-of-work.ts'
import type { Turn } from '../runs/chat-turns.ts'
import type { StoredMessage } from '../runs/load-run.ts'
import { sealContext } from '../sealed-fields.ts'
import { modelOf, type Plan } from './plan.ts'

/** `model`: the one that wrote it, when that is known. */
interface NewTurn extends Turn {
  readonly id?: string
  readonly model?: string
}

interface Added extends Pick<Plan, 'input' | 'visionModel'> {
  readonly turns: readonly NewTurn[]
}

/** Stores what a run begins with, and the answer of one that ends at once. Their events are added before anything is sent. */
export async function addMessages(
  { messages, outbox }: ChatAgentRepositories,
  { run_id, space, context }: { readonly run_id: string; readonly space: SpaceSealer; readonly context: UserContext },
  session: SessionRow,
  { turns, ...plan }: Added,
): Promise<readonly StoredMessage[]> {
  const { user_id } = context.caller
  const { id: session_id, space_id, turn, branch: active } = session
  const used = { tokens_in: 0, tokens_out: 0 }
  const place = { space_id, session_id, run_id, turn, branch: active ?? 0 }
  const usual = modelOf(plan, session)
  const rows = turns.map(({ id = newId(), role, content, model = usual }) => {
    outbox.add(chatAgent.messageCreated, { message_id: id, session_id, user_id, role, model, ...used }, context)
    return { id, ...place, role, content: space.sealText(content, sealContext.message(id)), ...used }
  })
  await messages.add(rows)
  return rows
}
