import type { Audience } from '@youworker/contracts/define'

/** The user for whom a request is made, as their verified token says. */
export interface Caller {
  readonly user_id: string
  readonly sid: string
  readonly is_root: boolean
  readonly scopes: readonly string[]
  readonly aud: Audience
  /** To call another service for the same user. */
  readonly token: string
}

export interface CallContext {
  readonly correlationId: string
  readonly traceparent: string
  /** Epoch ms. */
  readonly deadline: number
  /** Aborts at the deadline, with `DEADLINE_EXCEEDED` as its reason; the caller has been answered by then. */
  readonly signal: AbortSignal
  readonly idempotencyKey: string | undefined
}

export interface UserContext extends CallContext {
  readonly caller: Caller
}
