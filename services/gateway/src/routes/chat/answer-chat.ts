import { AppError } from '@youworker/contracts/errors'
import type { StartRun } from '@youworker/contracts/agent/responses'
import type { z } from 'zod'
import { ofRequest, type Question, type Recording, type Voice } from '../../audio/voice.ts'
import type { Clients } from '../../clients.ts'
import { Reply } from '../../http/answers/reply.ts'
import { accepted, waitOf } from '../../http/prefer.ts'
import type { RequestContext } from '../../http/request-context.ts'
import type { RunStreams } from '../../streams/run-streams.ts'
import type { ChatAnswer, ChatQuestion } from './chat-bodies.ts'

export type ChatDeps = Pick<Clients, 'chatAgent'> & { readonly runStreams: RunStreams; readonly voice: Voice }
export type AskedQuestion = ChatQuestion & Pick<z.input<typeof StartRun>, 'voice' | 'images'>

type StartsRun = (run_id: string) => ReturnType<ReturnType<Clients['chatAgent']['as']>['startRun']>

interface Asked {
  /** Starts the run, under an id that its reader has chosen. */
  readonly start: StartsRun
  /** The answer is wanted as speech too, which is made here. */
  readonly isSpoken: boolean
}

function askedOf(body: AskedQuestion, context: RequestContext, { chatAgent }: Pick<ChatDeps, 'chatAgent'>): Asked {
  const { text_input, messages, expect_audio: isSpoken, ...rest } = body
  if (!text_input && !messages) {
    throw new AppError('VALIDATION_ERROR', 'Send text_input, or messages with the question last', {
      details: [{ field: 'text_input', message: 'is missing' }],
    })
  }
  const turns = { ...(text_input ? { text_input } : {}), ...(messages ? { messages } : {}) }
  const start: StartsRun = (run_id) => chatAgent.as(context.scope).startRun({ ...rest, ...turns, run_id }, context.idempotency)
  return { start, isSpoken }
}

const speakerOf = ({ isSpoken }: Asked, context: RequestContext, { voice }: ChatDeps) =>
  isSpoken ? voice.speaker(context.caller.user_id) : undefined

/** What was said, as the question. */
export const spokenQuestion = (
  recording: Recording,
  context: RequestContext,
  { voice }: Pick<ChatDeps, 'voice'>,
): Promise<Question> => ofRequest(context, (caller) => voice.question(recording, caller))

export const answerWhole = async (
  body: AskedQuestion,
  context: RequestContext,
  deps: ChatDeps,
  shape?: (answer: ChatAnswer) => unknown,
): Promise<Reply> => answerStart(askedOf(body, context, deps), context, deps, shape)

/** 200 with the answer as `shape` makes it, or 202 when it is not there in time: the run goes on. */
export async function answerStart(
  asked: Asked,
  context: RequestContext,
  deps: ChatDeps,
  shape: (answer: ChatAnswer) => unknown = (answer) => answer,
): Promise<Reply> {
  const wait = waitOf(context)
  const speaker = speakerOf(asked, context, deps)
  const { started, whole } = await deps.runStreams.wholeNew(context, () => wait.leftMs(), asked.start, speaker)
  const { run_id, session_id } = started
  if (whole) return new Reply(200, shape({ run_id, session_id, ...whole.done }), wait.headers)
  const run = `/v1/runs/${run_id}`
  const message = `The run goes on: GET ${run} has the answer when it has ended, GET ${run}/events streams it. The same request with the same Idempotency-Key waits for it again.`
  return accepted(run, { run_id, session_id, message }, wait)
}

/** Waits for the answer, however long it takes: clients of voice turns know no 202. */
export async function answerVoice(
  body: AskedQuestion,
  context: RequestContext,
  deps: ChatDeps,
  waitMs: number,
): Promise<ChatAnswer> {
  const asked = askedOf(body, context, deps)
  const patient = () => {
    context.deadline.lift()
    return waitMs
  }
  const { started, whole } = await deps.runStreams.wholeNew(context, patient, asked.start, speakerOf(asked, context, deps))
  const { run_id, session_id } = started
  if (whole) return { run_id, session_id, ...whole.done }
  throw new AppError('DEADLINE_EXCEEDED', `The run goes on: GET /v1/runs/${run_id} has its answer when it has ended`)
}

export const answerAsStream = async (body: AskedQuestion, context: RequestContext, deps: ChatDeps): Promise<Reply> =>
  streamStart(askedOf(body, context, deps), context, deps)

export const streamStart = (asked: Asked, context: RequestContext, deps: ChatDeps): Promise<Reply> =>
  deps.runStreams.streamNew(context, asked.start, { finish: speakerOf(asked, context, deps) })
