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

/** Returns what starts the run, under an id that its reader has chosen. */
function startOf(body: AskedQuestion, context: RequestContext, { chatAgent }: Pick<ChatDeps, 'chatAgent'>) {
  // The answer is spoken here.
  const { text_input, messages, expect_audio: _spoken, ...rest } = body
  if (!text_input && !messages) {
    throw new AppError('VALIDATION_ERROR', 'Send text_input, or messages with the question last', {
      details: [{ field: 'text_input', message: 'is missing' }],
    })
  }
  const turns = { ...(text_input ? { text_input } : {}), ...(messages ? { messages } : {}) }
  return (run_id: string) => chatAgent.as(context.scope).startRun({ ...rest, ...turns, run_id }, context.idempotency)
}

const speakerOf = ({ expect_audio }: AskedQuestion, context: RequestContext, { voice }: ChatDeps) =>
  expect_audio ? voice.speaker(context.caller.user_id) : undefined

/** What was said, as the question. */
export const heardQuestion = (
  recording: Recording,
  context: RequestContext,
  { voice }: Pick<ChatDeps, 'voice'>,
): Promise<Question> => ofRequest(context, (caller) => voice.question(recording, caller))

/** 200 with the answer as `shape` makes it, or 202 when it is not there in time: the run goes on. */
export async function answerWhole(
  body: AskedQuestion,
  context: RequestContext,
  deps: ChatDeps,
  shape: (answer: ChatAnswer) => unknown = (answer) => answer,
): Promise<Reply> {
  const wait = waitOf(context)
  const start = startOf(body, context, deps)
  const { started, done } = await deps.runStreams.wholeNew(context, () => wait.leftMs(), start, speakerOf(body, context, deps))
  const { run_id, session_id } = started
  if (done) return new Reply(200, shape({ run_id, session_id, ...done }), wait.headers)
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
  const start = startOf(body, context, deps)
  const patient = () => {
    context.deadline.lift()
    return waitMs
  }
  const { started, done } = await deps.runStreams.wholeNew(context, patient, start, speakerOf(body, context, deps))
  const { run_id, session_id } = started
  if (done) return { run_id, session_id, ...done }
  throw new AppError('DEADLINE_EXCEEDED', `The run goes on: GET /v1/runs/${run_id} has its answer when it has ended`)
}

export const answerAsStream = async (body: AskedQuestion, context: RequestContext, deps: ChatDeps): Promise<Reply> =>
  deps.runStreams.streamNew(context, startOf(body, context, deps), { finish: speakerOf(body, context, deps) })
