import type { chatAgent } from '@youworker/contracts/chat-agent'
import type { HandlerInput } from '@youworker/contracts/define'
import type { SessionRow } from '@youworker/database/owners/chat-agent/tables'
import type { UserContext } from '@youworker/messaging/requests/context'
import type { NewBranch } from '../../repositories/branch-repository.ts'
import type { Turn } from '../runs/chat-turns.ts'
import type { RunSettings, StoredTurn } from '../runs/run-settings.ts'

export type RunInput = Omit<HandlerInput<typeof chatAgent.startResponse>, 'run_id'>

/** Where a branch begins. */
export type Fork = Pick<NewBranch, 'from_branch' | 'before_turn' | 'before_position'>

/** Where a run belongs, and what it begins with. */
export interface Plan {
  readonly input: RunInput
  /** The model that is given images, when none was asked for. */
  readonly seeing?: string | undefined
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
export const heardOf = ({ voice, text_input }: RunInput): string | undefined => (voice ? text_input : undefined)

/** `null`: the usual one. */
export const modelOf = ({ input, seeing }: Pick<Plan, 'input' | 'seeing'>, session: Pick<SessionRow, 'model'>): string | null =>
  input.model ?? seeing ?? session.model

/** What its run is asked for beside the text. */
export const settingsOf = (
  { input: { instructions, language, parameters, strategy, ...input }, conversation }: Plan,
  session_instructions: string | undefined,
  { caller }: UserContext,
): RunSettings => ({
  session_instructions: session_instructions || undefined,
  instructions: instructions || undefined,
  language: language ?? undefined,
  parameters: parameters ?? undefined,
  strategy: strategy ?? undefined,
  plain: input.plain || undefined,
  show_thinking: input.show_thinking || undefined,
  append_only: input.append_only || undefined,
  conversation,
  images: input.images?.length ? input.images : undefined,
  client_tools: input.client_tools?.length ? input.client_tools : undefined,
  response: input.request && {
    request: input.request,
    added: input.conversation?.length ?? 0,
    in_session: input.session_id ? true : undefined,
  },
  cache: input.cache ? { scopes: caller.scopes.toSorted() } : undefined,
})
