import { ChatInput, MessageText, SessionRef } from '@youworker/contracts/agent/chat-input'
import type { Done, RunEntry } from '@youworker/contracts/agent/run-log'
import { Id } from '@youworker/contracts/common'
import { AppError, errorBody } from '@youworker/contracts/errors'
import { z } from 'zod'
import { parseJson } from '../http/parse-json.ts'
import { toLine } from '../streams/sse.ts'

const FrameMetadata = z.record(z.string(), z.unknown()).optional()
const OtherSession = SessionRef.optional().meta({ description: 'Another session of the caller than that of the socket.' })
const Spoken = z.boolean().optional()

/** The frames a client may send over the chat socket. */
export const ClientFrame = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('text'),
    content: MessageText,
    expect_audio: Spoken,
    metadata: FrameMetadata,
    session_id: OtherSession,
    show_thinking: ChatInput.shape.show_thinking,
    cache: ChatInput.shape.cache,
  }),
  z.object({
    type: z.literal('audio'),
    audio_data: z
      .string()
      .min(1)
      .meta({ description: 'Base64 of a recording, at most 10 MB. Without a header: samples of 16 bits, mono.' }),
    sample_rate: z.number().int().nullish(),
    expect_audio: Spoken.meta({ description: 'Whether the answer is spoken; it is, unless this is false.' }),
    metadata: FrameMetadata,
    session_id: OtherSession,
    show_thinking: ChatInput.shape.show_thinking,
    cache: ChatInput.shape.cache,
  }),
  z.object({
    type: z.literal('retry'),
    message_id: Id,
    content: MessageText.optional(),
    expect_audio: Spoken,
    metadata: FrameMetadata,
    session_id: OtherSession,
  }),
  z.object({ type: z.literal('stop'), run_id: Id.optional().meta({ description: 'Only this one.' }) }),
  z.object({ type: z.literal('ping') }),
  z.object({ type: z.literal('resume'), run_id: Id, after: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER).default(0) }),
])
export type ClientFrame = z.infer<typeof ClientFrame>

type Speakable = Pick<Extract<ClientFrame, { type: 'text' }>, 'expect_audio' | 'metadata'>

/** Whether the client wants the answer spoken, in either of the two places where clients say so. */
export function isSpoken({ expect_audio, metadata }: Speakable, usual: boolean): boolean {
  const wanted = expect_audio ?? metadata?.['expect_audio']
  return typeof wanted === 'boolean' ? wanted : usual
}

/** Bytes of a frame that holds no audio. */
export const MAX_TEXT_FRAME = 256 * 1024

export class FrameTooBig extends Error {}

const isAudio = (data: unknown): boolean => data instanceof Object && 'type' in data && data.type === 'audio'

/** Throws {@link FrameTooBig} for a large frame that is none of audio. */
export function readFrame(bytes: Uint8Array): ClientFrame {
  const isLarge = bytes.length > MAX_TEXT_FRAME
  let data: unknown
  try {
    data = parseJson(bytes)
  } catch (error) {
    throw isLarge ? new FrameTooBig() : error
  }
  if (isLarge && !isAudio(data)) throw new FrameTooBig()
  const parsed = ClientFrame.safeParse(data)
  if (parsed.success) return parsed.data
  throw AppError.fromZod(parsed.error, 'The frame')
}

export const now = (): string => new Date().toISOString()

/** An entry with its data; the `run_id` of a `tool` entry is the tool run's, as in SSE. The entry `run` becomes a status. */
export function entryFrame(run_id: string, { n: seq, body }: RunEntry, timestamp = now()): string {
  const head = { seq, run_id, timestamp }
  if (body.event === 'run') return toLine({ type: 'status', ...head, stage: 'started', session_id: body.data.session_id })
  return toLine({ type: body.event, ...head, ...body.data })
}

export const statusFrame = (run_id: string, stage: string): string =>
  toLine({ type: 'status', seq: null, run_id, timestamp: now(), stage })

/** The answer as speech (WAV), before its `done`. */
export const audioFrame = (run_id: string, { audio_b64: audio_data, audio_sample_rate: sample_rate }: Done): string =>
  toLine({ type: 'audio', seq: null, run_id, timestamp: now(), audio_data, sample_rate })

export const logFrame = (run_id: string, log: Done['logs'][number]): string =>
  toLine({ type: 'log', seq: null, run_id, timestamp: now(), ...log })

export const pongFrame = (): string => toLine({ type: 'pong', seq: null, run_id: null, timestamp: now() })

export const errorFrame = (error: AppError, correlationId: string, run_id: string | null = null): string =>
  toLine({ type: 'error', seq: null, run_id, timestamp: now(), ...errorBody(error, correlationId) })
