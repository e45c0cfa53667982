import type { RequestClient } from '@youworker/contracts/audit/audit-entry'
import type { Audience } from '@youworker/contracts/define'

/** The user of a request, from the verified token. */
export interface Caller {
  readonly user_id: string
  readonly sid: string
  readonly is_root: boolean
  readonly scopes: readonly string[]
  readonly aud: Audience
  /** The access token, for calls to other services on behalf of the same user. */
  readonly token: string
}

export interface CallContext {
  readonly correlationId: string
  readonly traceparent: string
  /** `undefined` for calls that no request to the gateway has caused. */
  readonly client: RequestClient | undefined
  /** Epoch ms. Statements and requests to other services end by then, too. */
  readonly deadline: number
  /** Aborts at the deadline with `DEADLINE_EXCEEDED` as its reason; that reply has then been sent. */
  readonly signal: AbortSignal
  readonly idempotencyKey: string | undefined
}

/** What events and audit entries tell of the request that caused them. */
export type Trace = Pick<CallContext, 'correlationId' | 'traceparent'> & Partial<Pick<CallContext, 'client'>>

export interface UserContext extends CallContext {
  readonly caller: Caller
}
