import type { FileSearch } from '@youworker/contracts/agent/file-search'
import { ChatInput, type Strategy } from '@youworker/contracts/agent/chat-input'
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
  readonly cache: boolean | null | undefined
  /** How the model uses tools; ours in every protocol. */
  readonly strategy: Strategy | null | undefined
  /** The answer comes with what the model thinks. */
  readonly showThinking?: boolean
  /** Where alone it searches. */
  readonly fileSearch?: FileSearch | undefined
}

/** A field of ours beside those of the protocols. */
export const Cache = ChatInput.shape.cache

/** What starts the run that answers it. */
export function runInput({
  model,
  instructions,
  conversation,
  parameters,
  tools,
  mayUseTools,
  strategy,
  showThinking,
  cache,
  fileSearch,
}: Asked) {
  const isAgent = model === AGENT_MODEL
  return {
    text_input: questionOf(conversation),
    conversation: [...conversation],
    instructions: instructions.trim() || undefined,
    parameters,
    client_tools: [...tools],
    model: isAgent ? undefined : model,
    enable_tools: (isAgent || fileSearch !== undefined) && mayUseTools,
    plain: !isAgent,
    strategy: strategy ?? undefined,
    show_thinking: showThinking,
    // Neither protocol can take back what it has sent.
    append_only: true,
    cache: fileSearch ? false : (cache ?? undefined),
    file_search: fileSearch,
  }
}

/** What is stored as the question when an image is all that is sent. */
export const IMAGE_ONLY = '[image]'

function questionOf(conversation: readonly ConversationMessage[]): string | undefined {
  const asked = conversation.findLast(
    (message) => message.role === 'user' && (message.content.trim() !== '' || message.images?.length),
  )
  return asked && (asked.content.trim() === '' ? IMAGE_ONLY : asked.content)
}

/** Throws `VALIDATION_ERROR` when there is nothing to answer. `isWhole`: nothing stands before it. */
export function requireQuestion(conversation: readonly ConversationMessage[], field: string, { isWhole = true } = {}): void {
  const last = conversation.findLast(({ role }) => role !== 'system')?.role
  if ((last === 'user' || last === 'tool') && (!isWhole || questionOf(conversation) !== undefined)) return
  throw refusal(field, 'The last message must be one of the user, or the result of a tool behind it')
}

export const refusal = (field: string, message: string): AppError =>
  new AppError('VALIDATION_ERROR', message, { details: [{ field, message }] })
