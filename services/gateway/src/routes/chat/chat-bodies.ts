import { ChatInput, SessionGroup, SessionRef } from '@youworker/contracts/agent/chat-input'
import { Citation, Done, ToolEvent, WholeDone } from '@youworker/contracts/agent/run-log'
import { Id, Line } from '@youworker/contracts/common'
import { AppError } from '@youworker/contracts/errors'
import { LIMITS } from '@youworker/contracts/limits'
import { z } from 'zod'
import { USUAL_RATE } from '../../audio/sound.ts'

/** Throws during parsing, so that a message that is too long is 413 and not a wrong field. */
export const Text = z.string().superRefine((text) => {
  if (Buffer.byteLength(text) > LIMITS.message) {
    throw new AppError(
      'PAYLOAD_TOO_LARGE',
      `A message may have at most ${LIMITS.message / 1024} KB of text; send less, or upload it as a document`,
    )
  }
})
const Turn = z.object({ role: z.enum(['user', 'assistant', 'system']), content: Text })

export const ChatBody = ChatInput.extend({
  text_input: Text.nullish(),
  messages: z.array(Turn).min(1).max(200).nullish(),
  stream: z.boolean().default(true),
}).meta({ id: 'ChatBody' })
type ChatBody = z.output<typeof ChatBody>
/** What is asked, however the answer comes. */
export type ChatQuestion = Omit<ChatBody, 'stream'>

const SampleRate = z.number().int().nullish()

export const UnifiedBody = ChatBody.extend({
  audio_b64: z.string().nullish().meta({
    description:
      'A spoken question: WAV, WebM, Ogg, MP3, FLAC, M4A, or samples of 16 bits (PCM16, mono) at sample_rate. At most 10 MB.',
  }),
  sample_rate: SampleRate,
  images_b64: z.array(z.string()).max(16).nullish(),
}).meta({ id: 'UnifiedBody' })

export const SimpleBody = z
  .object({
    message: Text.refine((text) => text.trim() !== '', 'must not be blank'),
    session_id: SessionRef.nullish(),
    group_id: SessionGroup.nullish(),
    enable_tools: z.boolean().default(true),
    model: Line(128).nullish(),
    disable_web: z.boolean().default(false),
    max_iterations: z.number().int().min(1).max(50).nullish(),
    cache: ChatInput.shape.cache,
  })
  .meta({ id: 'SimpleBody' })

/** Published clients send samples of 16 bits. */
export const VoiceBody = ChatInput.omit({ messages: true, text_input: true })
  .extend({
    audio_b64: z.string().min(1),
    sample_rate: z.number().int().default(USUAL_RATE),
    expect_audio: z.boolean().default(true),
  })
  .meta({ id: 'VoiceBody' })

export const ChatAnswer = WholeDone.extend({ run_id: Id, session_id: Id }).meta({ id: 'ChatAnswer' })
export type ChatAnswer = z.output<typeof ChatAnswer>
/** The answer was not there in time. */
export const RunAccepted = z.object({ run_id: Id, session_id: Id, message: z.string() }).meta({ id: 'RunAccepted' })
const logs = Done.shape.logs
export const SimpleAnswer = z
  .object({ content: z.string(), session_id: Id, metadata: Done.shape.metadata, tool_events: z.array(ToolEvent), logs })
  .meta({ id: 'SimpleAnswer' })

const spoken = {
  transcript: z.string().nullable(),
  audio_b64: z.string().nullable().meta({ description: 'The answer as speech (WAV), when it was asked for.' }),
  audio_sample_rate: z.number().int().nullable(),
  stt_confidence: z.number().nullable().meta({ description: '0 to 1, as far as the audio server tells.' }),
  stt_language: z.string().nullable(),
}
const shown = { citations: z.array(Citation), thinking: WholeDone.shape.thinking }
export const UnifiedAnswer = SimpleAnswer.extend({ ...spoken, ...shown }).meta({ id: 'UnifiedAnswer' })
export const VoiceAnswer = SimpleAnswer.omit({ content: true })
  .extend({ ...spoken, transcript: z.string(), assistant_text: z.string(), run_id: Id, ...shown })
  .meta({ id: 'VoiceAnswer' })

export const simple = ({
  content,
  session_id,
  metadata,
  tool_events,
  logs: lines,
}: ChatAnswer): z.input<typeof SimpleAnswer> => ({
  content,
  session_id,
  metadata,
  tool_events,
  logs: lines,
})

interface Transcribed {
  readonly language?: string | undefined
  readonly confidence?: number | undefined
}

/** `spoken`: how the question was understood, when it was spoken. */
export const unified = (answer: ChatAnswer, spoken: Transcribed = {}): z.input<typeof UnifiedAnswer> => ({
  ...simple(answer),
  citations: answer.citations,
  ...(answer.thinking === undefined ? {} : { thinking: answer.thinking }),
  transcript: answer.transcript ?? null,
  audio_b64: answer.audio_b64 ?? null,
  audio_sample_rate: answer.audio_sample_rate ?? null,
  stt_confidence: spoken.confidence ?? null,
  stt_language: spoken.language ?? null,
})
