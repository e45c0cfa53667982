import { AppError } from '@youworker/contracts/errors'
import { metrics } from '@youworker/runtime/health/metrics'
import { boundedBody } from '@youworker/runtime/http/bounded-body'
import { tracedFetch } from '@youworker/runtime/http/traced-fetch'
import type { Logger } from '@youworker/runtime/logger'
import { cleanText } from '@youworker/runtime/text/text'
import { type Breaker, createBreaker } from '@youworker/runtime/timing/breaker'
import { z } from 'zod'
import type { AudioCaller, AudioPort, Recording, Transcribed, TranscriptionOptions, SayOptions } from './audio-port.ts'
import { type FormStream, formStream } from './form-stream.ts'
import { Slots } from '@youworker/runtime/timing/slots'

interface AudioServerOptions {
  /** With its version, as https://host/v1. */
  readonly url: string
  readonly apiKey: string | undefined
  readonly transcriptionModel: string
  /** Of a process that has something spoken. */
  readonly speech?: { readonly model: string; readonly voice: string }
  /** Of one call. */
  readonly timeoutMs: number
  /** Calls at the same time, of each of the two kinds. */
  readonly concurrency: number
  /** Of these, for one user. */
  readonly perUser?: number
  readonly logger: Logger
}

type Kind = 'transcription' | 'speech'
/** A body is made anew for each call. */
type Ask = Readonly<{ path: string; body: FormStream | string }>

const PER_USER = 2
const CHECK_MS = 1_000
const RETRY_AFTER = 5
/** Bytes of an answer. */
const MOST = { text: 4 * 1024 * 1024, speech: 16 * 1024 * 1024 } as const

const Seconds = z.coerce.number().min(0).max(1_000_000)
const Told = z.object({
  text: z.string(),
  language: z.string().nullish().catch(null),
  duration: Seconds.nullish().catch(null),
  segments: z
    .array(
      z.object({
        id: z.number().int().catch(0),
        start: Seconds,
        end: Seconds,
        text: z.string(),
        avg_logprob: z.number().optional().catch(undefined),
        no_speech_prob: z.number().optional().catch(undefined),
      }),
    )
    .nullish()
    .catch(null),
})

/** The server is away, hangs, fails or makes no sense. */
class AudioDown extends AppError {}

/** Any server with OpenAI's `/audio/transcriptions` and `/audio/speech`: speaches, LocalAI, whisper.cpp's server, a hosted one. */
export class AudioServer implements AudioPort, Disposable {
  readonly models: AudioPort['models']
  readonly #options: AudioServerOptions
  readonly #slots: Readonly<Record<Kind, Slots>>
  readonly #breakers: Readonly<Record<Kind, Breaker>>
  /** It has said that it tells nothing but the text. */
  #tellsTextOnly = false

  constructor(options: AudioServerOptions) {
    const { concurrency: inAll, perUser = PER_USER, transcriptionModel: transcription, speech } = options
    const isFailure = (error: unknown) => error instanceof AudioDown
    this.models = { transcription, speech: speech?.model ?? '' }
    this.#options = options
    this.#slots = {
      transcription: new Slots({ what: 'recordings', perUser, inAll }),
      speech: new Slots({ what: 'spoken answers', perUser, inAll }),
    }
    this.#breakers = {
      transcription: createBreaker({ target: 'The audio server (transcription)', isFailure }),
      speech: createBreaker({ target: 'The audio server (speech)', isFailure }),
    }
  }

  async transcribe(recording: Recording, options: TranscriptionOptions, caller: AudioCaller): Promise<Transcribed> {
    const ask = (response_format: 'verbose_json' | 'json') => {
      const fields = { model: this.models.transcription, response_format, ...options }
      return { path: '/audio/transcriptions', body: formStream(fields, recording) }
    }
    const read = (response: Response) => this.#told(response)
    if (this.#tellsTextOnly) return this.#call('transcription', ask('json'), read, caller)
    try {
      return await this.#call('transcription', ask('verbose_json'), read, caller)
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'VALIDATION_ERROR') throw error
      // Some models know no `verbose_json`, and none says so in the same words.
      const transcribed = await this.#call('transcription', ask('json'), read, caller)
      this.#tellsTextOnly = true
      return transcribed
    }
  }

  say(
    { text, format, voice = this.#options.speech?.voice, speed, instructions }: SayOptions,
    caller: AudioCaller,
  ): Promise<Buffer> {
    const asked = { model: this.models.speech, input: text, voice, response_format: format, speed, instructions }
    const read = async (response: Response) => {
      const bytes = Buffer.from(await this.#bounded(response, MOST.speech).arrayBuffer())
      if (bytes.length === 0) throw this.#down('EXTERNAL_SERVICE_ERROR', 'The audio server answered without any sound')
      return bytes
    }
    return this.#call('speech', { path: '/audio/speech', body: JSON.stringify(asked) }, read, caller)
  }

  /** Any answer counts: not every such server has a list of models. */
  async check(): Promise<void> {
    const response = await this.#fetch('/models', { signal: AbortSignal.timeout(CHECK_MS) })
    await response.body?.cancel()
    if (response.status === 401 || response.status === 403) throw new Error('it refuses AUDIO__API_KEY')
  }

  [Symbol.dispose](): void {
    for (const breaker of Object.values(this.#breakers)) breaker[Symbol.dispose]()
  }

  async #told(response: Response): Promise<Transcribed> {
    const told = Told.safeParse(parsed(await this.#bounded(response, MOST.text).text()))
    if (!told.success)
      throw this.#down('EXTERNAL_SERVICE_ERROR', 'The audio server answered with something that is no transcript')
    const { text, language, duration, segments } = told.data
    return {
      text: cleanText(text).trim(),
      language: language ? cleanText(language, { lines: 'join', max: 64 }) : undefined,
      duration: duration ?? undefined,
      confidence: confidenceOf(segments ?? []),
      segments: segments?.map((segment) => ({ ...segment, text: cleanText(segment.text) })),
    }
  }

  async #call<T>(kind: Kind, ask: Ask, read: (response: Response) => Promise<T>, { user, signal }: AudioCaller): Promise<T> {
    using _slot = this.#slots[kind].take(user)
    const began = performance.now()
    let status = 'error'
    const timeout = AbortSignal.timeout(this.#options.timeoutMs)
    try {
      const result = await this.#breakers[kind].run(() => this.#ask(ask, read, { caller: signal, timeout }))
      status = 'success'
      return result
    } catch (error) {
      signal.throwIfAborted()
      const { code } = error instanceof AppError ? error : { code: undefined }
      this.#options.logger.warn({ kind, code, ms: Math.round(performance.now() - began) }, 'a call of the audio server failed')
      throw error
    } finally {
      metrics.audioDuration.labels(kind, status).observe((performance.now() - began) / 1_000)
    }
  }

  async #ask<T>(
    { path, body }: Ask,
    read: (response: Response) => Promise<T>,
    { caller, timeout }: { readonly caller: AbortSignal; readonly timeout: AbortSignal },
  ): Promise<T> {
    const sent = typeof body === 'string' ? { body, headers: { 'content-type': 'application/json' } } : body
    try {
      const response = await this.#fetch(path, { method: 'POST', ...sent, signal: AbortSignal.any([caller, timeout]) })
      if (!response.ok) {
        await response.body?.cancel()
        throw this.#refusal(response.status)
      }
      return await read(response)
    } catch (error) {
      caller.throwIfAborted()
      const seconds = this.#options.timeoutMs / 1_000
      if (timeout.aborted)
        throw this.#down('DEADLINE_EXCEEDED', `The audio server did not answer in ${seconds} s; try again`, error)
      if (error instanceof AppError) throw error
      throw this.#down('SERVICE_UNAVAILABLE', 'The audio server does not answer; send text, or try again', error)
    }
  }

  #fetch(
    path: string,
    { headers, ...init }: Omit<RequestInit, 'headers'> & { readonly headers?: Record<string, string> },
  ): Promise<Response> {
    const { url, apiKey } = this.#options
    const authorization = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }
    // Followed, a redirect would take the key to wherever it leads.
    return tracedFetch(`${url}${path}`, { ...init, headers: { ...headers, ...authorization }, redirect: 'manual' })
  }

  #bounded(response: Response, most: number): Response {
    return boundedBody(response, most, () => this.#down('EXTERNAL_SERVICE_ERROR', 'The audio server answered without end'))
  }

  /** What it says in words may repeat what was said to it: only its status is told. */
  #refusal(status: number): AppError {
    if (status === 429 || status === 503)
      return new AppError('SERVICE_UNAVAILABLE', 'The audio server is busy; try again', { retryAfter: RETRY_AFTER })
    if (status === 413)
      return new AppError('PAYLOAD_TOO_LARGE', 'The recording is too large for the audio server; send it in parts')
    if ([400, 415, 422].includes(status))
      return new AppError('VALIDATION_ERROR', `The audio server could not do that with what was sent (${status})`)
    if (status < 500) {
      const settings = 'AUDIO__BASE_URL, AUDIO__API_KEY and the names of its models'
      return new AppError('EXTERNAL_SERVICE_ERROR', `The audio server refuses (${status}); an operator should check ${settings}`)
    }
    return this.#down('EXTERNAL_SERVICE_ERROR', `The audio server failed (${status}); send text, or try again`)
  }

  #down(
    code: 'EXTERNAL_SERVICE_ERROR' | 'SERVICE_UNAVAILABLE' | 'DEADLINE_EXCEEDED',
    message: string,
    cause?: unknown,
  ): AppError {
    return new AudioDown(code, message, { cause, retryAfter: RETRY_AFTER })
  }
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}

/** Of Whisper's own figures: the mean over what was said. */
function confidenceOf(
  segments: readonly { readonly avg_logprob?: number | undefined; readonly text: string }[],
): number | undefined {
  let sum = 0
  let weight = 0
  for (const { avg_logprob, text } of segments) {
    if (avg_logprob === undefined) continue
    sum += Math.exp(Math.min(0, avg_logprob)) * text.length
    weight += text.length
  }
  return weight === 0 ? undefined : Math.round((sum / weight) * 1_000) / 1_000
}
