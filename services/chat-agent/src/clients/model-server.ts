import { AppError } from '@youworker/contracts/errors'
import { isUnreached } from '@youworker/runtime/connection-error'
import { currentRequest, inRequest } from '@youworker/runtime/current-request'
import { firstText } from '@youworker/runtime/http/bounded-body'
import { isModelDown, ModelError, modelFailure } from '@youworker/runtime/model-error'
import { type Breaker, createBreaker } from '@youworker/runtime/timing/breaker'
import { errorName, startSpan } from '@youworker/runtime/tracing/span'
import type { ModelChunk, ModelRequest } from '../services/models/model-port.ts'
import { ThoughtFilter } from './thought-filter.ts'
import { CallWatch } from './call-watch.ts'

interface ServerOptions {
  /** The backend that it is, for metrics. */
  readonly name: string
  /** What it is and where, for logs and root. */
  readonly where: string
  readonly apiKey: string | undefined
  readonly stallMs: number
}

/** Bytes of an answer with an error that are read. */
const MAX_REFUSAL = 16 * 1024
const NOT_FOLLOWED = 'a redirect, which is not followed: base_url has to name the address where it ends'
const FAILED = 'The model cannot be reached, or its answer broke off.'
const REFUSALS = {
  unknown_model: 'This model is not there; choose another one, or get it with "ollama pull".',
  refused: 'The model refused this request; choose another model, or ask in another way.',
  busy: 'The model is busy; try again in a moment.',
  away: 'The model does not answer now; try again in a moment.',
  failed: 'The model failed; try again, or choose another one.',
} as const

/** Calls of one model server, whatever it speaks: with a breaker, a watch over silence, spans, and failures as `ModelError`. */
export class ModelServer {
  readonly #options: ServerOptions
  readonly #breaker: Breaker

  constructor(options: ServerOptions) {
    this.#options = options
    this.#breaker = createBreaker({ target: `The model server ${options.name}`, isFailure: isModelDown })
  }

  /** It is no longer used. What it answers still comes to its end. */
  close(): void {
    this.#breaker[Symbol.dispose]()
  }

  /** Rejects with a ModelError, or with the reason of the signal unless that is a timeout. */
  async ask<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    try {
      return await this.#breaker.run(() => this.#ask(signal, work))
    } catch (error) {
      throw error instanceof AppError && error.code === 'CIRCUIT_OPEN' ? new ModelError('away', REFUSALS.away, error) : error
    }
  }

  /** The same, also while the server is known to be away. */
  probe<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    return this.#breaker.probe(() => this.#ask(signal, work))
  }

  async #ask<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      // The reason is the watch's ModelError, or a stop by the user, which the breaker must not count.
      if (signal.aborted && !isTimeout(signal.reason)) throw signal.reason
      throw signal.aborted || isUnreached(error) ? this.#unreached(error) : this.failure(error)
    }
  }

  /** An answer, part by part. `open` asks for it. */
  async *stream(
    request: ModelRequest,
    open: (signal: AbortSignal) => Promise<AsyncIterable<ModelChunk>>,
  ): AsyncGenerator<ModelChunk> {
    const watch = new CallWatch(request, this.#options)
    const attributes = { 'gen_ai.operation.name': 'chat', 'gen_ai.request.model': request.model.name }
    const span = startSpan({ kind: 'client', name: 'model chat', parent: currentRequest().traceparent, attributes })
    let failure: string | undefined
    try {
      const ask = () => this.ask(watch.signal, () => open(watch.signal))
      const parts = await inRequest({ traceparent: span.traceparent }, ask)
      watch.received()
      const thoughts = new ThoughtFilter()
      for await (const part of parts) {
        watch.received()
        watch.answered()
        yield thoughts.isOver ? part : thoughts.of(part)
      }
    } catch (error) {
      failure = errorName(error)
      request.signal.throwIfAborted()
      throw watch.signal.aborted ? watch.signal.reason : this.failure(error)
    } finally {
      span.end({ error: failure })
      watch.end()
      request.onEnd?.()
    }
  }

  /** Of an answer with an error. */
  async refusal(response: Response): Promise<ModelError> {
    const { status } = response
    const text = await firstText(response, MAX_REFUSAL)
    const failure = modelFailure(status)
    const cause = new Error(`${this.#options.where} answered ${status}${isRedirect(status) ? `, ${NOT_FOLLOWED}` : ''}`)
    return new ModelError(failure, REFUSALS[failure], cause, errorIn(text) ?? text)
  }

  /** An answer that makes no sense. */
  badAnswer(what: string): ModelError {
    return new ModelError('failed', REFUSALS.failed, this.#behind(what))
  }

  #behind(cause: unknown): Error {
    return new Error(this.#options.where, { cause })
  }

  #unreached(error: unknown): AppError {
    return new ModelError('away', FAILED, this.#behind(error))
  }

  /** What made an answer break off, without the key. */
  failure(error: unknown): AppError {
    const { apiKey } = this.#options
    if (error instanceof ModelError && apiKey !== undefined && error.said?.includes(apiKey))
      return new ModelError(error.failure, error.message, error.cause, error.said.replaceAll(apiKey, '[…]'))
    return error instanceof AppError ? error : new ModelError('failed', FAILED, this.#behind(error))
  }
}

export const within = (ms: number, signal: AbortSignal): AbortSignal => AbortSignal.any([signal, AbortSignal.timeout(ms)])

const isRedirect = (status: number): boolean => status >= 300 && status < 400

const isTimeout = (reason: unknown): boolean => reason instanceof DOMException && reason.name === 'TimeoutError'

/** The text of Ollama's `{"error": "..."}` or OpenAI's `{"error": {"message": "..."}}`. */
export function errorIn(text: string): string | undefined {
  try {
    const answer: unknown = JSON.parse(text)
    if (typeof answer !== 'object' || answer === null || !('error' in answer)) return undefined
    const { error } = answer
    if (typeof error === 'string') return error
    const isMessage = typeof error === 'object' && error !== null && 'message' in error && typeof error.message === 'string'
    return isMessage ? String(error.message) : undefined
  } catch {
    return undefined
  }
}
