import type { AudioCaller, AudioPort, Recording, Segment, Transcribed } from '@youworker/audio-server/audio-port'
import { AppError, ERROR_STATUS } from '@youworker/contracts/errors'
import type { FileMime } from '@youworker/contracts/file-types'
import { cleanText } from '@youworker/runtime/text/text'
import { retry } from '@youworker/runtime/timing/retry'
import pLimit, { type LimitFunction } from 'p-limit'

/** A text that is read in place of a recording. */
export interface Transcript {
  readonly mime: FileMime
  readonly text: string
}

/** While the server is away; then only this file fails, and is begun again by whoever wants it. */
const TRIES = { attempts: 4, baseMs: 1_000, maxMs: 10_000 } as const

/** What is said in recordings, with its times, by the audio server. */
export class Transcriber {
  readonly #server: Pick<AudioPort, 'transcribe'>
  readonly #limit: LimitFunction

  /** `atOnce`: others wait in the order in which they came. */
  constructor(server: Pick<AudioPort, 'transcribe'>, atOnce: number) {
    this.#server = server
    this.#limit = pLimit(atOnce)
  }

  /** Failures are those of the file: whatever is wrong with the server, other files go on. Rejects with the signal's reason. */
  async transcribe(recording: Recording, caller: AudioCaller): Promise<Transcript> {
    const { signal } = caller
    const ask = () => this.#server.transcribe(recording, {}, caller)
    try {
      const told = await this.#limit(async () => {
        signal.throwIfAborted()
        return retry(ask, { ...TRIES, signal, isRetryable })
      })
      if (told.text === '') throw new AppError('VALIDATION_ERROR', 'nobody is heard to speak in it')
      return transcriptOf(told)
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof AppError) || ERROR_STATUS[error.code] < 500) throw error
      const message = `it could not be transcribed: ${error.message}; start this file again when that is mended`
      throw new AppError('LLM_ERROR', message, { cause: error })
    }
  }
}

const isRetryable = (error: unknown): boolean =>
  error instanceof AppError && ['SERVICE_UNAVAILABLE', 'CIRCUIT_OPEN', 'EXTERNAL_SERVICE_ERROR'].includes(error.code)

/** As WebVTT where the server tells times. */
function transcriptOf({ text, segments = [] }: Transcribed): Transcript {
  const cues = segments.flatMap((segment) => cueOf(segment) ?? [])
  return cues.length === 0 ? { mime: 'text/plain', text } : { mime: 'text/vtt', text: ['WEBVTT', ...cues].join('\n\n') }
}

function cueOf({ start, end, text }: Segment): string | undefined {
  const said = cleanText(text, { lines: 'join' }).replaceAll('-->', '→').replaceAll('<', '‹').trim()
  return said === '' ? undefined : `${clock(start)} --> ${clock(Math.max(start, end))}\n${said}`
}

function clock(seconds: number): string {
  const ms = Math.round(seconds * 1_000)
  const part = (unit: number, size: number, length = 2) => String(Math.floor(ms / unit) % size).padStart(length, '0')
  return `${part(3_600_000, 10_000)}:${part(60_000, 60)}:${part(1_000, 60)}.${part(1, 1_000, 3)}`
}
