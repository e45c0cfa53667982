import { AppError } from '@youworker/contracts/errors'

/** Seconds, the time after which an open breaker lets the next call through. */
const RETRY_AFTER = 5

/**
 * - `unknown_model`, `refused`: the server answers, and would answer the same again.
 * - `busy`: the server answers, and may serve the call later.
 * - `away`: nobody answers yet: no connection, a proxy that reaches nobody, a model that is loading.
 * - `failed`: the server answers with an error of its own, or badly, or breaks off.
 */
type ModelFailure = 'unknown_model' | 'refused' | 'busy' | 'away' | 'failed'

const AWAY: readonly number[] = [502, 503, 504]

/** The meaning of a model server's HTTP status. A timeout and a lost connection have none. */
export function modelFailure(status: number | undefined): ModelFailure {
  if (status === undefined || status >= 500) return AWAY.includes(status ?? 0) ? 'away' : 'failed'
  if (status === 429) return 'busy'
  return status === 404 ? 'unknown_model' : 'refused'
}

/** A failed call of a model server: `LLM_ERROR` when repeating it cannot help, else `SERVICE_UNAVAILABLE`. */
export class ModelError extends AppError {
  readonly failure: ModelFailure
  /** The server's own words, if it said any: for root and logs, never for users. */
  readonly said: string | undefined

  constructor(failure: ModelFailure, message: string, cause?: unknown, said?: string) {
    const isFinal = failure === 'unknown_model' || failure === 'refused'
    super(isFinal ? 'LLM_ERROR' : 'SERVICE_UNAVAILABLE', message, isFinal ? { cause } : { cause, retryAfter: RETRY_AFTER })
    this.failure = failure
    this.said = said
  }
}

/** For the breaker of a model server: a server that answers properly is not away. */
export const isModelDown = (error: unknown): boolean =>
  error instanceof ModelError && (error.failure === 'failed' || error.failure === 'away')

/** Whether the model may answer the same call soon, because nobody answers yet. */
export const isModelAway = (error: unknown): boolean => error instanceof ModelError && error.failure === 'away'
