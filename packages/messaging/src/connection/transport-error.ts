import { AppError, type AppErrorOptions, type ErrorCode } from '@youworker/contracts/errors'

/** Created by the client because no reply arrived. An error in a reply is a plain `AppError`. */
export class TransportError extends AppError {
  /** `unsent`: the peer never received the request. `hurried`: too little time was left to count a timeout against the peer. */
  readonly kind: 'unsent' | 'lost' | 'refused' | 'late' | 'hurried'

  constructor(kind: TransportError['kind'], code: ErrorCode, message: string, options?: AppErrorOptions) {
    super(code, message, options)
    this.kind = kind
  }
}

export const unavailable = (message: string, kind: 'unsent' | 'lost' | 'refused' = 'lost'): TransportError =>
  new TransportError(kind, 'SERVICE_UNAVAILABLE', message, { retryAfter: 1 })

/** The request reached no server, so it may be sent again even if it is not repeatable. */
export const isUnsent = (error: unknown): boolean => error instanceof TransportError && error.kind === 'unsent'

/** The connection ended before the reply: a repeatable request may be sent again. */
export const isLost = (error: unknown): boolean => isUnsent(error) || (error instanceof TransportError && error.kind === 'lost')

/**
 * Only timeouts open a breaker: "no responders" and "no connection" fail at once and end by themselves when the peer is back.
 */
export const countsAgainstPeer = (error: unknown): boolean => error instanceof TransportError && error.kind === 'late'
