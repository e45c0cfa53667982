/** Who asks, for which request. What `serve` gives every handler of a `user` request fits. */
export interface CallContext {
  readonly caller: { readonly user_id: string; readonly token: string }
  readonly correlationId: string
  readonly traceparent: string
  readonly deadline: number
  readonly signal: AbortSignal
  readonly idempotencyKey: string | undefined
}
