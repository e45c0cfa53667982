import type { SpaceSealer } from '@youworker/database/sealing/sealer'
import { newId } from '@youworker/runtime/id'
import type { SessionOfTurn } from '../cache/ended-run.ts'
import type { Turn } from '../runs/chat-turns.ts'
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

/** What a run begins with, and the answer of one that ends at once: as rows, and as events tell of them. */
export function newMessages(
  { run_id, space }: { readonly run_id: string; readonly space: SpaceSealer },
  session: SessionOfTurn,
  { turns, ...plan }: Added,
) {
  const { id: session_id, space_id, turn, branch: active } = session
  const used = { tokens_in: 0, tokens_out: 0 }
  const place = { space_id, session_id, run_id, turn, branch: active ?? 0 }
  const usual = modelOf(plan, session)
  return turns.map(({ id = newId(), role, content, model = usual }) => ({
    row: { id, ...place, role, content: space.sealText(content, sealContext.message(id)), ...used },
    told: { message_id: id, role, model },
  }))
}
