import type { ClientTool, ConversationMessage, ModelParameters } from '@youworker/contracts/agent/model'
import { AppError } from '@youworker/contracts/errors'
import { AGENT_MODEL } from './agent-model.ts'

/** A request of another protocol, in our terms. */
interface Asked {
  readonly model: string
  /** The system prompt of the client. */
  readonly instructions: string
  readonly conversation: readonly ConversationMessage[]
  readonly parameters: ModelParameters
  readonly tools: readonly ClientTool[]
  /** Which of its own tools the agent may use: with `false` none. */
  readonly mayUseTools: boolean
  /** Goes on with this session, which has the messages before the last one. */
  readonly session_id?: string | null | undefined
}

/** What starts the run that answers it. Throws `VALIDATION_ERROR` when there is nothing to answer. */
export function runInput({ model, instructions, conversation, parameters, tools, mayUseTools, session_id }: Asked) {
  const isAgent = model === AGENT_MODEL
  const question = conversation.findLast(({ role, content }) => role === 'user' && content.trim() !== '')?.content
  const last = conversation.at(-1)?.role
  if (question === undefined || (last !== 'user' && last !== 'tool'))
    throw refusal('messages', 'The last message must be one of the user, or the result of a tool behind it')
  if (session_id && last !== 'user')
    throw refusal('session_id', 'Results of tools need the whole conversation: leave out session_id')
  return {
    text_input: question,
    ...(session_id ? { session_id } : { conversation: [...conversation] }),
    instructions: instructions.trim() || undefined,
    parameters,
    client_tools: [...tools],
    model: isAgent ? undefined : model,
    enable_tools: isAgent && mayUseTools,
    plain: !isAgent,
    // Neither protocol can take back what it has sent.
    append_only: true,
  }
}

export const refusal = (field: string, message: string): AppError =>
  new AppError('VALIDATION_ERROR', message, { details: [{ field, message }] })
