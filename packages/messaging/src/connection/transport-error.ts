import { AppError, type AppErrorOptions, type ErrorCode } from '@youworker/contracts/errors'

/** Made on this side because no answer came; answered errors are plain `AppError`s. */
export class TransportError extends AppError {
  /** `unsent`: the peer certainly never had it. `hurried`: the caller had too little time left to blame the peer. */
  readonly kind: 'unsent' | 'lost' | 'refused' | 'late' | 'hurried'

  constructor(kind: TransportError['kind'], code: ErrorCode, message: string, options?: AppErrorOptions) {
    super(code, message, options)
    this.kind = kind
  }
}

export const unavailable = (message: string, kind: 'unsent' | 'lost' | 'refused' = 'lost'): TransportError =>
  new TransportError(kind, 'SERVICE_UNAVAILABLE', message, { retryAfter: 1 })

/** Nobody was there to take it: any request may go again. */
export const isUnsent = (error: unknown): boolean => error instanceof TransportError && error.kind === 'unsent'

/** The connection ended before the reply: the same request may go again if it is repeatable. */
export const isLost = (error: unknown): boolean => isUnsent(error) || (error instanceof TransportError && error.kind === 'lost')

/** "Nobody there" and "no connection" come at once, cost nobody anything and end when the peer is back: only silence opens a breaker. */
export const countsAgainstPeer = (error: unknown): boolean => error instanceof TransportError && error.kind === 'late'
