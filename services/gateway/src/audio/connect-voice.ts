import { withVersion } from '@youworker/audio-server/audio-env'
import { AudioServer } from '@youworker/audio-server/audio-server'
import type { HealthCheck } from '@youworker/runtime/health/health-report'
import type { Logger } from '@youworker/runtime/logger'
import type { Config } from '../config.ts'
import { Voice } from './voice.ts'

const NO_AUDIO = { note: 'not set up (AUDIO__BASE_URL): chat takes and gives text only' }

/** With the audio server of the settings, if they name one. Without it everything but speech goes on, so it counts for health only. */
export function connectVoice(
  stack: AsyncDisposableStack,
  config: Config,
  logger: Logger,
): { readonly voice: Voice; readonly check: HealthCheck } {
  const { AUDIO__BASE_URL: url } = config
  if (url === undefined) return { voice: new Voice(undefined), check: async () => NO_AUDIO }
  const server = stack.use(
    new AudioServer({
      url: withVersion(url),
      apiKey: config.AUDIO__API_KEY,
      transcriptionModel: config.AUDIO__TRANSCRIPTION_MODEL,
      speech: { model: config.AUDIO__SPEECH_MODEL, voice: config.AUDIO__VOICE },
      timeoutMs: config.AUDIO__TIMEOUT_MS,
      concurrency: config.AUDIO__CONCURRENCY,
      logger,
    }),
  )
  return { voice: new Voice(server), check: () => server.check() }
}
