import { Line } from '@youworker/contracts/common'
import { z } from 'zod'
import { SPEECH_TYPES, type SpeechFormat } from '@youworker/audio-server/audio-port'
import { ofRequest, type Voice } from '../../audio/voice.ts'
import { withTrueLengths } from '../../audio/wav.ts'
import { Reply } from '../../http/answers/reply.ts'
import { defineRoute } from '../../http/define-route.ts'
import { requireModel } from './audio-models.ts'

const VoiceName = Line(100)
const SpeechBody = z
  .object({
    model: Line(128),
    input: z.string().min(1).max(4_096),
    voice: z.union([VoiceName, z.object({ id: VoiceName })]).nullish(),
    instructions: z.string().max(4_096).nullish(),
    response_format: z.enum(Object.keys(SPEECH_TYPES) as [SpeechFormat, ...SpeechFormat[]]).default('mp3'),
    speed: z.number().min(0.25).max(4).nullish(),
    stream_format: z.literal('audio').nullish(),
  })
  .meta({ id: 'SpeechBody' })

export const speechRoutes = [
  defineRoute({
    method: 'POST',
    path: '/v1/audio/speech',
    operation: 'createSpeech',
    summary: "OpenAI's text to speech, by the audio server of this installation; the answer is the sound",
    tag: 'openai',
    auth: 'required',
    scopes: ['chat'],
    limit: 'chat',
    csrf: 'required',
    body: SpeechBody,
    media: 'application/octet-stream',
    errors: ['EXTERNAL_SERVICE_ERROR'],
    async handle({ body, context }, { voice: voices }: { readonly voice: Voice }) {
      const server = voices.serverFor('input')
      const { model, input: text, voice, instructions, response_format: format, speed } = body
      requireModel(model, server.models.speech, 'speaks')
      const name = typeof voice === 'object' ? voice?.id : voice
      const more = { voice: name, speed: speed ?? undefined, instructions: instructions ?? undefined }
      const bytes = await ofRequest(context, (caller) => server.say({ text, format, ...more }, caller))
      return new Reply(200, format === 'wav' ? withTrueLengths(bytes) : bytes, { 'content-type': SPEECH_TYPES[format] })
    },
  }),
]
