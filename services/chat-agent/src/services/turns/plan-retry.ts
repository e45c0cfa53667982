import type { chatAgent } from '@youworker/contracts/chat-agent'
import type { HandlerInput } from '@youworker/contracts/define'
import { AppError } from '@youworker/contracts/errors'
import { LIMITS } from '@youworker/contracts/limits'
import type { MessageRow, RunRow, SessionRow } from '@youworker/database/owners/chat-agent/tables'
import type { SpaceSealer } from '@youworker/database/sealing/sealer'
import type { ChatAgentRepositories } from '../../unit-of-work.ts'
import { type RunSettings, type StoredTurn, unsealSettings } from '../runs/run-settings.ts'
import { sealContext } from '../sealed-fields.ts'
import type { Fork, Plan, RunInput } from './plan.ts'

export type Retry = Omit<HandlerInput<typeof chatAgent.retryMessage>, 'run_id'>

/** Of a question that is asked again: the message itself, or the one that it answers. */
export async function planRetry(
  repositories: ChatAgentRepositories,
  { user_id, space }: { readonly user_id: string; readonly space: SpaceSealer },
  retry: Retry,
): Promise<Plan> {
  const { sessions, messages, runs } = repositories
  const session = await sessions.lock(user_id, retry.session_id)
  if (!session) throw new AppError('SESSION_NOT_FOUND', 'There is no such session')
  const message = await messages.find(session.id, retry.message_id)
  if (!message) throw new AppError('MESSAGE_NOT_FOUND', 'There is no such message in the session')
  requireQuestion(message, retry)
  const [question, run] = await Promise.all([messages.questionOf(message), runs.find(message.run_id)])
  const settings = run ? unsealSettings(space, run) : {}
  const asked = question && space.openText(question.content, sealContext.message(question.id))
  const text = retry.content ?? asked ?? settings.conversation?.findLast(({ role }) => role === 'user')?.content
  if (text === undefined) throw new AppError('VALIDATION_ERROR', 'No question stands before this message; retry a later one')
  const images = await imagesOf(repositories, question, settings)
  const fork = await forkAt(repositories, session, question ?? message)
  const conversation = settings.conversation && withQuestion(settings.conversation, retry.content ?? undefined)
  const input = { ...inputOf(retry, run, settings), images, session_id: session.id }
  return { input, ref: session.id, text, turns: question ? [{ role: 'user', content: text }] : [], conversation, fork }
}

/** Those of the question, which it keeps with other words too: a retry cannot send them again. Earlier questions of its turn had none. */
async function imagesOf(
  { messages }: ChatAgentRepositories,
  question: MessageRow | undefined,
  { images }: RunSettings,
): Promise<RunInput['images']> {
  if (!images || !question) return undefined
  const last = await messages.lastOfTurns(question.session_id, [question.turn])
  return last.some(({ id }) => id === question.id) ? [...images] : undefined
}

function requireQuestion({ role }: MessageRow, { content }: Retry): void {
  if (role === 'user' || typeof content !== 'string') return
  const message = 'An answer cannot be given other words: leave content out to have it made anew, or retry the question with it'
  throw new AppError('VALIDATION_ERROR', message, { details: [{ field: 'content', message }] })
}

/** In the place of the message, which may itself stand in the place of another one. */
async function forkAt({ branches }: ChatAgentRepositories, session: SessionRow, message: MessageRow): Promise<Fork> {
  const [count, begun] = await Promise.all([branches.count(session.id), branches.beginningAt(session.id, message.turn)])
  if (count >= LIMITS.branches - 1) {
    const limit = `This session has ${LIMITS.branches} branches, as many as it may have; go on in one of them or in a new session`
    throw new AppError('VALIDATION_ERROR', limit)
  }
  if (!begun) return { from_branch: message.branch, before_turn: message.turn, before_position: message.position }
  const { from_branch, before_turn, before_position } = begun
  return { from_branch, before_turn, before_position }
}

/** With other words in place of the last question, which makes what came behind it void. */
function withQuestion(conversation: readonly StoredTurn[], content: string | undefined): readonly StoredTurn[] {
  if (content === undefined) return conversation
  const place = conversation.findLastIndex((turn) => turn.role === 'user' && (turn.content.trim() !== '' || turn.images?.length))
  const asked = conversation[place]
  const shown = asked?.role === 'user' && asked.images ? { images: asked.images } : {}
  return [...conversation.slice(0, place === -1 ? undefined : place), { role: 'user', content, ...shown }]
}

/** What is left out is as it was for the first answer. Without a run the message is one from before the first question. */
const inputOf = (
  retry: Retry,
  run: RunRow | undefined,
  { language, parameters, strategy, show_thinking, plain, instructions }: RunSettings,
): RunInput => ({
  enable_tools: retry.enable_tools ?? run?.enable_tools ?? true,
  disable_web: retry.disable_web ?? run?.disable_web ?? false,
  expect_audio: false,
  max_iterations: retry.max_iterations ?? run?.max_iterations,
  // A run of the agent names the model that it was given, which need not be the one that was asked for.
  model: retry.model ?? (plain ? run?.model : undefined),
  instructions: retry.instructions ?? instructions,
  language: retry.language ?? language,
  parameters: retry.parameters ?? parameters,
  strategy: retry.strategy ?? strategy,
  show_thinking: retry.show_thinking ?? show_thinking,
  cache: false,
  plain,
})
