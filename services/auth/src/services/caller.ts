/** Who asks, as far as the rules here need to know. */
export interface Caller {
  readonly user_id: string
  /** Id of the session or key. */
  readonly sid: string
  readonly is_root: boolean
}

/** What a request brings along beside its input. */
export interface CallContext {
  readonly correlationId: string
  readonly traceparent: string
  readonly signal: AbortSignal
  readonly idempotencyKey: string | undefined
}
