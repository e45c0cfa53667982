import { AppError } from '@youworker/contracts/errors'
import { z } from 'zod'
import type { Transcribed } from '@youworker/audio-server/audio-port'
import { Slots } from '@youworker/runtime/timing/slots'
import { readSound, recordingOf } from '../../audio/sound.ts'
import { ofRequest, type Voice } from '../../audio/voice.ts'
import { receiveRecording } from '../../files/receive-recording.ts'
import type { FormFields } from '../../files/part-writer.ts'
import type { UploadLimits } from '../../files/receive-upload.ts'
import { Reply } from '../../http/answers/reply.ts'
import { defineRoute } from '../../http/define-route.ts'
import type { RequestContext } from '../../http/request-context.ts'
import { refusal } from '../../protocols/run-input.ts'
import { requireModel } from './audio-models.ts'

/** As at OpenAI. */
const MAX_BYTES = 25 * 1024 * 1024
/** Recordings that one gateway holds in memory. */
const slots = new Slots({ what: 'recordings', perUser: 2, inAll: 8 })

const Fields = z.object({
  model: z.string().min(1).max(128),
  language: z
    .string()
    .regex(/^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})?$/, 'must be a tag like de')
    .optional(),
  prompt: z.string().max(4_096).optional(),
  response_format: z.enum(['json', 'text', 'verbose_json'], 'must be json, text or verbose_json').default('json'),
  temperature: z.coerce.number().min(0).max(1).optional(),
})
const FORM = {
  properties: {
    file: { type: 'string', contentMediaType: 'application/octet-stream' },
    model: { type: 'string' },
    language: { type: 'string' },
    prompt: { type: 'string' },
    response_format: { type: 'string', enum: ['json', 'text', 'verbose_json'] },
    temperature: { type: 'number' },
  },
  required: ['file', 'model'],
}

const Transcription = z
  .object({
    text: z.string(),
    task: z.literal('transcribe').optional(),
    language: z.string().optional(),
    duration: z.number().optional(),
    segments: z
      .array(
        z.object({
          id: z.number(),
          start: z.number(),
          end: z.number(),
          text: z.string(),
          avg_logprob: z.number().optional(),
          no_speech_prob: z.number().optional(),
        }),
      )
      .optional(),
  })
  .meta({ id: 'Transcription', description: '`text` alone, or with `verbose_json` all of it.' })

/** Fields that change nothing here are ignored; an empty one counts as missing, because forms send them. */
function readForm(form: FormFields): z.output<typeof Fields> {
  const values = Object.fromEntries(form.filter(([, value]) => value !== ''))
  if (values['stream'] === 'true') throw refusal('stream', 'A transcript does not come as a stream: leave out stream')
  const parsed = Fields.safeParse(values)
  if (parsed.success) return parsed.data
  throw AppError.fromZod(parsed.error, 'The form')
}

interface Deps {
  readonly uploadLimits: UploadLimits
  readonly voice: Voice
}

async function transcribe(context: RequestContext, { uploadLimits, voice }: Deps): Promise<Reply> {
  const server = voice.serverFor('file')
  const { incoming, caller } = context
  if (!/^multipart\/form-data\b/i.test(incoming.headers['content-type'] ?? '')) {
    throw new AppError('UNSUPPORTED_MEDIA_TYPE', 'Send the recording as multipart/form-data, in a part named `file`')
  }
  using _slot = slots.take(caller.user_id)
  const { bytes, fields } = await receiveRecording(incoming, { maxBytes: MAX_BYTES, leastRate: uploadLimits.leastRate })
  const { model, response_format: format, ...options } = readForm(fields)
  requireModel(model, server.models.transcription, 'transcribes')
  if (!bytes) throw refusal('file', 'No recording came: send it as a part named `file`')
  const sound = readSound(bytes, 'file')
  const transcribed = await ofRequest(context, (by) => server.transcribe(recordingOf(sound), options, by))
  if (format === 'text') return new Reply(200, `${transcribed.text}\n`, { 'content-type': 'text/plain; charset=utf-8' })
  return new Reply(200, format === 'json' ? { text: transcribed.text } : verbose(transcribed))
}

const verbose = ({ text, language = '', duration = 0, segments }: Transcribed): z.input<typeof Transcription> => ({
  task: 'transcribe',
  language,
  duration,
  text,
  ...(segments ? { segments: [...segments] } : {}),
})

export const transcriptionRoutes = [
  defineRoute({
    method: 'POST',
    path: '/v1/audio/transcriptions',
    operation: 'createTranscription',
    summary: "OpenAI's speech to text, by the audio server of this installation; nothing of it is kept",
    tag: 'openai',
    auth: 'required',
    scopes: ['chat'],
    limit: 'chat',
    csrf: 'required',
    body: 'multipart',
    form: FORM,
    answer: Transcription,
    media: 'text/plain',
    errors: ['EXTERNAL_SERVICE_ERROR', 'PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE', 'REQUEST_TIMEOUT'],
    handle: ({ context }, deps: Deps) => transcribe(context, deps),
  }),
]
