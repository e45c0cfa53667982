/** A user's request as far as the rules here need to know, and all that a call made on its behalf must carry on. */
export interface UserContext {
  readonly caller: { readonly user_id: string; readonly token: string }
  readonly correlationId: string
  readonly traceparent: string
  /** Epoch ms. */
  readonly deadline: number
  readonly signal: AbortSignal
  readonly idempotencyKey: string | undefined
}
