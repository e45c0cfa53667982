import { AppError, type AppErrorOptions, type ErrorCode } from '@youworker/contracts/errors'

/** Made on this side because no answer came; answered errors are plain `AppError`s. */
export class TransportError extends AppError {
  /** `hurried`: the caller had too little time left to blame the peer. */
  readonly kind: 'lost' | 'refused' | 'late' | 'hurried'

  constructor(kind: TransportError['kind'], code: ErrorCode, message: string, options?: AppErrorOptions) {
    super(code, message, options)
    this.kind = kind
  }
}

export const unavailable = (message: string, kind: 'lost' | 'refused' = 'lost'): TransportError =>
  new TransportError(kind, 'SERVICE_UNAVAILABLE', message, { retryAfter: 1 })

/** Not sent, or nobody was there to take it: the same request may go again if it is repeatable. */
export const isLost = (error: unknown): boolean => error instanceof TransportError && error.kind === 'lost'

/** "Nobody there" and "no connection" come at once, cost nobody anything and end when the peer is back: only silence opens a breaker. */
export const countsAgainstPeer = (error: unknown): boolean => error instanceof TransportError && error.kind === 'late'
