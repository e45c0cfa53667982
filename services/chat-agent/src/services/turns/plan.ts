import type { chatAgent } from '@youworker/contracts/chat-agent'
import type { HandlerInput } from '@youworker/contracts/define'
import type { SessionRow } from '@youworker/database/owners/chat-agent/tables'
import type { NewBranch } from '../../repositories/branch-repository.ts'
import type { Turn } from '../runs/chat-turns.ts'
import type { StoredTurn } from '../runs/run-settings.ts'

export type RunInput = Omit<HandlerInput<typeof chatAgent.startResponse>, 'run_id'>

/** Where a branch begins. */
export type Fork = Pick<NewBranch, 'from_branch' | 'before_turn' | 'before_position'>

/** Where a run belongs, and what it begins with. */
export interface Plan {
  readonly input: RunInput
  /** The model that is given images, when none was asked for. */
  readonly visionModel?: string | undefined
  /** Of a session that goes on. */
  readonly ref: string | undefined
  /** To be stored as messages. */
  readonly turns: readonly Turn[]
  readonly text: string
  /** What the model is given in place of the session's messages. */
  readonly conversation: readonly StoredTurn[] | undefined
  /** Of the branch that it begins. */
  readonly fork?: Fork | undefined
}

/** What was understood of a question that was spoken. */
export const spokenText = ({ voice, text_input }: RunInput): string | undefined => (voice ? text_input : undefined)

/** `null`: the usual one. */
export const modelOf = (
  { input, visionModel }: Pick<Plan, 'input' | 'visionModel'>,
  session: Pick<SessionRow, 'model'>,
): string | null => input.model ?? visionModel ?? session.model
