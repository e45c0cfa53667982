import { RunEntryBody } from '@youworker/contracts/agent/run-log'
import type { ErrorCode } from '@youworker/contracts/errors'
import { defineRoute } from '../../http/define-route.ts'
import type { Csrf } from '../../http/guards/csrf.ts'
import { readImage, requireFewImages } from '../../protocols/images.ts'
import { IMAGE_ONLY } from '../../protocols/run-input.ts'
import { WHOLE_MS } from '../../protocols/answer-run.ts'
import { answerAsStream, answerVoice, answerWhole, type ChatDeps, spokenQuestion } from './answer-chat.ts'
import {
  ChatAnswer,
  ChatBody,
  type ChatQuestion,
  RunAccepted,
  simple,
  SimpleAnswer,
  SimpleBody,
  unified,
  UnifiedAnswer,
  UnifiedBody,
  VoiceAnswer,
  VoiceBody,
} from './chat-bodies.ts'

/** Leaves space for an earlier conversation; what is passed on must fit into one NATS request. */
const CHAT_BYTES = 448 * 1024
/** Ten megabytes of audio in base64, and the text. */
const UNIFIED_BYTES = 16 * 1024 * 1024

const errors: readonly ErrorCode[] = [
  'SESSION_NOT_FOUND',
  'GROUP_NOT_FOUND',
  'CONFLICT',
  'PAYLOAD_TOO_LARGE',
  'UNSUPPORTED_MEDIA_TYPE',
]
const chat = {
  method: 'POST',
  tag: 'chat',
  auth: 'required',
  scopes: ['chat'],
  limit: 'chat',
  accepted: RunAccepted,
  errors,
} as const
/** The images of a question, which may be all that is sent. */
function shownImages(images_b64: readonly string[], { text_input, messages }: ChatQuestion) {
  const images = images_b64.map((image) => readImage(image, 'images_b64'))
  if (images.length === 0) return {}
  requireFewImages(images)
  return { images, ...(text_input?.trim() || messages ? {} : { text_input: IMAGE_ONLY }) }
}

const spoken = { errors: [...errors, 'EXTERNAL_SERVICE_ERROR'] } as const

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
    handle: ({ body: { stream: streaming, ...body }, context }, deps: ChatDeps) =>
      streaming ? answerAsStream(body, context, deps) : answerWhole(body, context, deps),
  }),
  defineRoute({
    ...chat,
    ...spoken,
    path: '/v1/unified-chat',
    operation: 'chatUnified',
    summary: 'Ask in text or speech, with images; the answer streams as events, or comes whole with `stream: false`',
    csrf: 'lenient',
    bodyLimit: UNIFIED_BYTES,
    body: UnifiedBody,
    answer: UnifiedAnswer,
    media: 'text/event-stream',
    events: RunEntryBody,
    async handle({ body, context }, deps: ChatDeps & { readonly csrf: Csrf }) {
      const { stream: streaming, audio_b64, images_b64, sample_rate: sampleRate, ...asked } = body
      const shown = shownImages(images_b64 ?? [], asked)
      const { identity, incoming } = context
      if (streaming && identity?.credential.kind === 'session')
        deps.csrf.require(incoming.headers, identity.caller.sid, 'required')
      const recording = audio_b64 ? { audio: audio_b64, sampleRate, text: asked.text_input, field: 'audio_b64' } : undefined
      const spoken = recording && (await spokenQuestion(recording, context, deps))
      const question = { ...asked, ...shown, ...spoken }
      if (streaming) return answerAsStream(question, context, deps)
      return answerWhole(question, context, deps, (answer) => unified(answer, spoken?.voice))
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
    handle: ({ body: { message, ...rest }, context }, deps: ChatDeps) =>
      answerWhole({ ...rest, text_input: message, expect_audio: false }, context, deps, simple),
  }),
  defineRoute({
    ...chat,
    ...spoken,
    path: '/v1/voice-turn',
    operation: 'takeVoiceTurn',
    summary: 'Ask in speech, and get the answer as text and speech',
    csrf: 'required',
    accepted: undefined,
    bodyLimit: UNIFIED_BYTES,
    body: VoiceBody,
    answer: VoiceAnswer,
    async handle({ body: { audio_b64: audio, sample_rate: sampleRate, ...asked }, context }, deps: ChatDeps) {
      const spoken = await spokenQuestion({ audio, sampleRate, field: 'audio_b64' }, context, deps)
      const answer = await answerVoice({ ...asked, ...spoken }, context, deps, WHOLE_MS)
      const { content: assistant_text, ...rest } = unified(answer, spoken.voice)
      return { ...rest, run_id: answer.run_id, transcript: answer.transcript ?? spoken.text_input, assistant_text }
    },
  }),
]
