import { MessageText } from '@youworker/contracts/agent/chat-input'
import type { Done, RunEntry } from '@youworker/contracts/agent/run-log'
import { Id } from '@youworker/contracts/common'
import { AppError, errorBody } from '@youworker/contracts/errors'
import { z } from 'zod'
import { parseJson } from '../http/parse-json.ts'
import { toLine } from '../streams/sse.ts'

const FrameMetadata = z.record(z.string(), z.unknown()).optional()

/** The frames a client may send over the chat socket. */
export const ClientFrame = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text'), content: MessageText, expect_audio: z.boolean().optional(), metadata: FrameMetadata }),
  z.object({
    type: z.literal('audio'),
    audio_data: z
      .string()
      .min(1)
      .meta({ description: 'Base64 of a recording, at most 10 MB. Without a header: samples of 16 bits, mono.' }),
    sample_rate: z.number().int().nullish(),
    expect_audio: z.boolean().optional().meta({ description: 'Whether the answer is spoken; it is, unless this is false.' }),
    metadata: FrameMetadata,
  }),
  z.object({ type: z.literal('stop') }),
  z.object({ type: z.literal('ping') }),
  z.object({ type: z.literal('resume'), run_id: Id, after: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER).default(0) }),
])
export type ClientFrame = z.infer<typeof ClientFrame>

export function readFrame(bytes: Uint8Array): ClientFrame {
  const parsed = ClientFrame.safeParse(parseJson(bytes))
  if (parsed.success) return parsed.data
  throw AppError.fromZod(parsed.error, 'The frame')
}

const now = () => new Date().toISOString()

/** An entry with its data; the `run_id` of a `tool` entry is the tool run's, as in SSE. The entry `run` becomes a status. */
export function entryFrame(run_id: string, { n: seq, body }: RunEntry): string {
  const head = { seq, run_id, timestamp: now() }
  if (body.event === 'run') return toLine({ type: 'status', ...head, stage: 'started', session_id: body.data.session_id })
  return toLine({ type: body.event, ...head, ...body.data })
}

export const statusFrame = (run_id: string, stage: string): string =>
  toLine({ type: 'status', seq: null, run_id, timestamp: now(), stage })

/** The answer as speech (WAV), before its \`done\`. */
export const audioFrame = (run_id: string, { audio_b64: audio_data, audio_sample_rate: sample_rate }: Done): string =>
  toLine({ type: 'audio', seq: null, run_id, timestamp: now(), audio_data, sample_rate })

export const logFrame = (run_id: string, log: Done['logs'][number]): string =>
  toLine({ type: 'log', seq: null, run_id, timestamp: now(), ...log })

export const pongFrame = (): string => toLine({ type: 'pong', seq: null, run_id: null, timestamp: now() })

export const errorFrame = (error: AppError, correlationId: string, run_id: string | null = null): string =>
  toLine({ type: 'error', seq: null, run_id, timestamp: now(), ...errorBody(error, correlationId) })
