import { Id, Time } from '@youworker/contracts/common'
import { ErrorBody } from '@youworker/contracts/errors'
import { RunEntryBody } from '@youworker/contracts/agent/run-log'
import { z } from 'zod'

const Seq = z.number().int()
const head = { seq: Seq, run_id: Id, timestamp: Time }

const BETWEEN: readonly string[] = ['status', 'log']
const ofRun = { session_id: Id.optional() }

/** The frames of one kind of entry, in the order in which they are made: what the data says wins. */
function framesOf({ shape: { event: type, data } }: (typeof RunEntryBody.options)[number]): z.ZodObject[] {
  if (type.value === 'run') return []
  const kinds: readonly z.ZodObject[] = data instanceof z.ZodDiscriminatedUnion ? data.options : [data]
  // A status or log between two entries has no number; the entry `run` becomes a status with the session's id.
  const more = { ...(BETWEEN.includes(type.value) ? { seq: Seq.nullable() } : {}), ...(type.value === 'status' ? ofRun : {}) }
  return kinds.map(({ shape }) => z.object({ type, ...head, ...shape, ...more }))
}

/** What the chat socket sends. */
export const ServerFrame = z.union([
  ...RunEntryBody.options.flatMap(framesOf),
  z.object({
    type: z.literal('audio'),
    ...head,
    seq: z.null(),
    audio_data: z.string().meta({ description: 'The answer as speech: WAV in base64.' }),
    sample_rate: Seq,
  }),
  z.object({ type: z.literal('pong'), seq: z.null(), run_id: z.null(), timestamp: Time }),
  ErrorBody.extend({ type: z.literal('error'), seq: z.null(), run_id: Id.nullable(), timestamp: Time }),
])
