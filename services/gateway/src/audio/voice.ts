import { createHash } from 'node:crypto'
import type { Done } from '@youworker/contracts/agent/run-log'
import { AppError } from '@youworker/contracts/errors'
import { LIMITS } from '@youworker/contracts/limits'
import type { RequestContext } from '../http/request-context.ts'
import type { AudioCaller, AudioPort, Transcribed } from '@youworker/audio-server/audio-port'
import { readBase64 } from '../http/base64.ts'
import { readMp3 } from './mp3.ts'
import { Slots } from '@youworker/runtime/timing/slots'
import { readSound, recordingOf } from './sound.ts'
import { spokenText } from './spoken-text.ts'
import { readWav, withTrueLengths } from './wav.ts'

/** Bytes of one recording. */
export const MOST_RECORDED = 10 * 1024 * 1024
/** In seconds: somebody has to set it up. */
const RETRY_AFTER = 3_600
const NO_SERVER = 'there is no audio server (AUDIO__BASE_URL)'

export interface Recording {
  /** Base64. */
  readonly audio: string
  readonly sampleRate?: number | null | undefined
  /** What was written beside it, which comes first. */
  readonly text?: string | null | undefined
  /** The part of the request that holds it. */
  readonly field: string
}

/** A spoken question, as it starts a run. */
export interface Question {
  readonly text_input: string
  readonly voice: { readonly digest: string; readonly language?: string | undefined; readonly confidence?: number | undefined }
}

/** The end of an answer with its speech, which is in memory until this is disposed. */
interface Spoken extends Disposable {
  readonly done: Done
}

/** Adds the speech to the end of an answer, or a note why there is none. Never rejects. */
export type Speak = (done: Done, signal: AbortSignal) => Promise<Spoken>

export function notSetUp(field: string): AppError {
  const message = `No audio is taken: ${NO_SERVER}; send text`
  return new AppError('SERVICE_UNAVAILABLE', message, { details: [{ field, message: 'is not taken' }], retryAfter: RETRY_AFTER })
}

/** Turns spoken questions into text, and answers into speech. Nothing of it is kept. */
export class Voice {
  readonly #server: AudioPort | undefined
  /** Until their clients have read them: each can have megabytes. */
  readonly #held = new Slots({ what: 'spoken answers', perUser: 4, inAll: 32 })

  constructor(server: AudioPort | undefined) {
    this.#server = server
  }

  /** Throws `SERVICE_UNAVAILABLE` without an audio server. */
  serverFor(field: string): AudioPort {
    if (!this.#server) throw notSetUp(field)
    return this.#server
  }

  async question({ audio, sampleRate, text, field }: Recording, caller: AudioCaller): Promise<Question> {
    const server = this.serverFor(field)
    const bytes = readBase64(audio, { field, maxBytes: MOST_RECORDED })
    const transcribed = await server.transcribe(recordingOf(readSound(bytes, field, sampleRate)), {}, caller)
    const written = text?.trim() ? `${text}\n\n` : ''
    const digest = createHash('sha256').update(written).update(bytes).digest('base64url')
    return {
      text_input: written + saidIn(transcribed, field),
      voice: { digest, language: transcribed.language, confidence: transcribed.confidence },
    }
  }

  speaker(user: string): Speak {
    return async (done, signal) => {
      let slot: Disposable | undefined
      try {
        slot = this.#held.take(user)
        const spoken = await this.#spoken(done, { user, signal })
        if (spoken.audio_b64 === undefined) slot[Symbol.dispose]()
        return held(spoken, slot)
      } catch (error) {
        slot?.[Symbol.dispose]()
        const why = error instanceof AppError ? error.message : 'something went wrong'
        return held(withNote(done, 'warning', `The answer is not spoken: ${why}.`))
      }
    }
  }

  async #spoken(done: Done, caller: AudioCaller): Promise<Done> {
    const { content, metadata } = done
    const { text, isCut } = spokenText(content)
    if (text === '' || metadata.status === 'error') return done
    if (!this.#server) return withNote(done, 'warning', `The answer is not spoken: ${NO_SERVER}.`)
    const wav = await this.#server.say({ text, format: 'wav' }, caller)
    const audio = withTrueLengths(wav)
    const rate = (readWav(audio) ?? readMp3(audio))?.sampleRate
    if (rate === undefined) return withNote(done, 'warning', 'The answer is not spoken: the audio server sent no WAV.')
    const spoken = { ...done, audio_b64: audio.toString('base64'), audio_sample_rate: rate }
    return isCut ? withNote(spoken, 'info', 'Only the beginning of the answer is spoken.') : spoken
  }
}

const held = (done: Done, slot?: Disposable): Spoken => ({ done, [Symbol.dispose]: () => slot?.[Symbol.dispose]() })

const withNote = (done: Done, level: 'info' | 'warning', msg: string): Done => ({ ...done, logs: [...done.logs, { level, msg }] })

function saidIn({ text }: Transcribed, field: string): string {
  if (text === '') {
    const message = 'Nobody is transcribed in the recording; speak again, or send text'
    throw new AppError('VALIDATION_ERROR', message, { details: [{ field, message }] })
  }
  if (Buffer.byteLength(text) <= LIMITS.message) return text
  throw new AppError('PAYLOAD_TOO_LARGE', `What is said has more than ${LIMITS.message / 1024} KB of text; send it in parts`)
}

/** For a request over HTTP, whose clock stands still while the server transcribes or speaks: that has a limit of its own. */
export const ofRequest = <T>({ caller, deadline }: RequestContext, work: (caller: AudioCaller) => Promise<T>): Promise<T> =>
  deadline.pausedFor(() => work({ user: caller.user_id, signal: deadline.signal }))
