import { withVersion } from '@youworker/audio-server/audio-env'
import { AudioServer } from '@youworker/audio-server/audio-server'
import type { Logger } from '@youworker/runtime/logger'
import type { Config } from '../config.ts'
import { Transcriber } from '../services/runs/stages/transcriber.ts'

/** With the audio server of the settings, if they name one. */
export function connectTranscriber(stack: AsyncDisposableStack, config: Config, logger: Logger): Transcriber | undefined {
  const { AUDIO__BASE_URL: url, INGEST__TRANSCRIPTIONS: concurrency } = config
  if (url === undefined) return undefined
  const server = new AudioServer({
    url: withVersion(url),
    apiKey: config.AUDIO__API_KEY,
    transcriptionModel: config.AUDIO__TRANSCRIPTION_MODEL,
    timeoutMs: config.INGEST__TRANSCRIPTION_MS,
    concurrency,
    perUser: concurrency,
    logger,
  })
  return new Transcriber(stack.use(server), concurrency)
}
