import { ChatInput, MessageText, SessionRef } from '@youworker/contracts/agent/chat-input'
import type { RunEntry } from '@youworker/contracts/agent/run-log'
import { Id } from '@youworker/contracts/common'
import { AppError, errorBody } from '@youworker/contracts/errors'
import { z } from 'zod'
import { parseJson } from '../http/parse-json.ts'
import { toLine } from '../streams/sse.ts'

const OtherSession = SessionRef.optional().meta({ description: 'Another session of the caller than that of the socket.' })

/** The frames a client may send over the chat socket. */
export const ClientFrame = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('text'),
    content: MessageText,
    metadata: z.record(z.string(), z.unknown()).optional(),
    session_id: OtherSession,
    show_thinking: ChatInput.shape.show_thinking,
  }),
  z.object({ type: z.literal('retry'), message_id: Id, content: MessageText.optional(), session_id: OtherSession }),
  z.object({ type: z.literal('audio') }),
  z.object({ type: z.literal('stop'), run_id: Id.optional().meta({ description: 'Only this one.' }) }),
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

export const pongFrame = (): string => toLine({ type: 'pong', seq: null, run_id: null, timestamp: now() })

export const errorFrame = (error: AppError, correlationId: string, run_id: string | null = null): string =>
  toLine({ type: 'error', seq: null, run_id, timestamp: now(), ...errorBody(error, correlationId) })
