import { ChatInput, SessionRef } from '@youworker/contracts/agent/chat-input'
import { Citation, Done, RunEntryBody, ToolEvent } from '@youworker/contracts/agent/run-log'
import { Id, Line } from '@youworker/contracts/common'
import { AppError, type ErrorCode } from '@youworker/contracts/errors'
import { LIMITS } from '@youworker/contracts/limits'
import { z } from 'zod'
import type { Clients } from '../clients.ts'
import { defineRoute } from '../http/define-route.ts'
import { accepted, waitOf } from '../http/prefer.ts'
import { notServed } from '../http/text-only.ts'
import { Reply } from '../http/answers/reply.ts'
import type { RequestContext } from '../http/request-context.ts'
import type { Csrf } from '../http/guards/csrf.ts'
import type { RunStreams } from '../streams/run-streams.ts'

/** Leaves space for an earlier conversation; what is passed on must fit into one NATS request. */
const CHAT_BYTES = 448 * 1024
/** Ten megabytes of audio in base64, and the text. */
const UNIFIED_BYTES = 16 * 1024 * 1024

/** Throws during parsing, so that a message that is too long is 413 and not a wrong field. */
const Text = z.string().superRefine((text) => {
  if (Buffer.byteLength(text) > LIMITS.message) {
    throw new AppError(
      'PAYLOAD_TOO_LARGE',
      `A message may have at most ${LIMITS.message / 1024} KB of text; send less, or upload it as a document`,
    )
  }
})
const Turn = z.object({ role: z.enum(['user', 'assistant', 'system']), content: Text })

const ChatBody = ChatInput.extend({
  text_input: Text.nullish(),
  messages: z.array(Turn).min(1).max(200).nullish(),
  stream: z.boolean().default(true),
}).meta({ id: 'ChatBody' })
type ChatBody = z.output<typeof ChatBody>

const UnifiedBody = ChatBody.extend({
  audio_b64: z.string().nullish(),
  sample_rate: z.number().int().nullish(),
  images_b64: z.array(z.string()).max(16).nullish(),
}).meta({ id: 'UnifiedBody' })

const SimpleBody = z
  .object({
    message: Text.refine((text) => text.trim() !== '', 'must not be blank'),
    session_id: SessionRef.nullish(),
    enable_tools: z.boolean().default(true),
    model: Line(128).nullish(),
    disable_web: z.boolean().default(false),
    max_iterations: z.number().int().min(1).max(50).nullish(),
    cache: ChatInput.shape.cache,
  })
  .meta({ id: 'SimpleBody' })

const VoiceBody = z.object({ audio_b64: z.string().min(1), sample_rate: z.number().int() }).meta({ id: 'VoiceBody' })
const VoiceAnswer = z.object({ transcript: z.string(), assistant_text: z.string() }).meta({ id: 'VoiceAnswer' })

const ChatAnswer = Done.extend({ run_id: Id, session_id: Id }).meta({ id: 'ChatAnswer' })
type ChatAnswer = z.output<typeof ChatAnswer>
/** The answer was not there in time. */
const RunAccepted = z.object({ run_id: Id, session_id: Id, message: z.string() }).meta({ id: 'RunAccepted' })
const logs = Done.shape.logs
const SimpleAnswer = z
  .object({ content: z.string(), session_id: Id, metadata: Done.shape.metadata, tool_events: z.array(ToolEvent), logs })
  .meta({ id: 'SimpleAnswer' })
const UnifiedAnswer = SimpleAnswer.extend({
  transcript: z.null(),
  audio_b64: z.null(),
  audio_sample_rate: z.null(),
  stt_confidence: z.null(),
  stt_language: z.null(),
  citations: z.array(Citation),
}).meta({ id: 'UnifiedAnswer' })

const simple = ({ content, session_id, metadata, tool_events, logs: lines }: ChatAnswer): z.input<typeof SimpleAnswer> => ({
  content,
  session_id,
  metadata,
  tool_events,
  logs: lines,
})

type Deps = Pick<Clients, 'chatAgent'> & { readonly runStreams: RunStreams }

/** Returns what starts the run, under an id that its reader has chosen. */
function startOf(body: Omit<ChatBody, 'stream'>, context: RequestContext, { chatAgent }: Pick<Deps, 'chatAgent'>) {
  const { text_input, messages, ...rest } = body
  if (!text_input && !messages) {
    throw new AppError('VALIDATION_ERROR', 'Send text_input, or messages with the question last', {
      details: [{ field: 'text_input', message: 'is missing' }],
    })
  }
  const turns = { ...(text_input ? { text_input } : {}), ...(messages ? { messages } : {}) }
  return (run_id: string) => chatAgent.as(context.scope).startRun({ ...rest, ...turns, run_id }, context.idempotency)
}

/** 200 with the answer as `shape` makes it, or 202 when it is not there in time: the run goes on. */
async function answerWhole(
  body: Omit<ChatBody, 'stream'>,
  context: RequestContext,
  deps: Deps,
  shape: (answer: ChatAnswer) => unknown = (answer) => answer,
): Promise<Reply> {
  const wait = waitOf(context)
  const start = startOf(body, context, deps)
  const { started, done } = await deps.runStreams.wholeNew(context, () => wait.leftMs(), start)
  const { run_id, session_id } = started
  if (done) return new Reply(200, shape({ run_id, session_id, ...done }), wait.headers)
  const run = `/v1/runs/${run_id}`
  const message = `The run goes on: GET ${run} has the answer when it has ended, GET ${run}/events streams it. The same request with the same Idempotency-Key waits for it again.`
  return accepted(run, { run_id, session_id, message }, wait)
}

const stream = async (body: Omit<ChatBody, 'stream'>, context: RequestContext, deps: Deps) =>
  deps.runStreams.streamNew(context, startOf(body, context, deps))

const errors: readonly ErrorCode[] = ['SESSION_NOT_FOUND', 'CONFLICT', 'PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE']
const chat = {
  method: 'POST',
  tag: 'chat',
  auth: 'required',
  scopes: ['chat'],
  limit: 'chat',
  accepted: RunAccepted,
  errors,
} as const

export const chatRoutes = [
  defineRoute({
    ...chat,
    path: '/v1/chat',
    operation: 'chat',
    summary: 'Ask; the answer streams as events, or comes whole with `stream: false`',
    csrf: 'required',
    bodyLimit: CHAT_BYTES,
    body: ChatBody,
    answer: ChatAnswer,
    media: 'text/event-stream',
    events: RunEntryBody,
    handle: ({ body: { stream: streaming, ...body }, context }, deps: Deps) =>
      streaming ? stream(body, context, deps) : answerWhole(body, context, deps),
  }),
  defineRoute({
    ...chat,
    path: '/v1/unified-chat',
    operation: 'chatUnified',
    summary: 'Ask in text; the answer streams as events, or comes whole with `stream: false`',
    csrf: 'lenient',
    bodyLimit: UNIFIED_BYTES,
    body: UnifiedBody,
    answer: UnifiedAnswer,
    media: 'text/event-stream',
    events: RunEntryBody,
    async handle({ body, context }, deps: Deps & { readonly csrf: Csrf }) {
      const { stream: streaming, audio_b64, images_b64, sample_rate: _rate, ...question } = body
      requireTextOnly({ audio_b64, images_b64 })
      if (!streaming) {
        const voice = { transcript: null, audio_b64: null, audio_sample_rate: null, stt_confidence: null, stt_language: null }
        return answerWhole(question, context, deps, (answer) => ({ ...simple(answer), citations: answer.citations, ...voice }))
      }
      const { identity, incoming } = context
      if (identity?.credential.kind === 'session') deps.csrf.require(incoming.headers, identity.caller.sid, 'required')
      return stream(question, context, deps)
    },
  }),
  defineRoute({
    ...chat,
    path: '/v1/simple-chat',
    operation: 'chatSimply',
    summary: 'Ask and get the whole answer',
    csrf: 'lenient',
    bodyLimit: CHAT_BYTES,
    body: SimpleBody,
    answer: SimpleAnswer,
    handle: ({ body: { message, ...rest }, context }, deps: Deps) =>
      answerWhole({ ...rest, text_input: message, expect_audio: false }, context, deps, simple),
  }),
  defineRoute({
    ...chat,
    path: '/v1/voice-turn',
    operation: 'takeVoiceTurn',
    summary: 'Ask in speech; 503 until audio is served',
    csrf: 'required',
    accepted: undefined,
    bodyLimit: UNIFIED_BYTES,
    body: VoiceBody,
    answer: VoiceAnswer,
    handle: () => Promise.reject(notServed('audio', 'audio_b64')),
  }),
]

function requireTextOnly(given: {
  audio_b64?: string | null | undefined
  images_b64?: readonly string[] | null | undefined
}): void {
  if (given.audio_b64) throw notServed('audio', 'audio_b64')
  if (given.images_b64?.length) throw notServed('images', 'images_b64')
}
