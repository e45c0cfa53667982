import { AsyncLocalStorage } from 'node:async_hooks'

/** The request, event or job that is being worked on. */
export interface CurrentRequest {
  /** Epoch ms at which it is over. */
  readonly deadline?: number | undefined
  readonly correlationId?: string | undefined
  /** Of the span that is open. */
  readonly traceparent?: string | undefined
}

const NONE: CurrentRequest = {}
const current = new AsyncLocalStorage<CurrentRequest>({ defaultValue: NONE })

/** Runs `work` and all that it awaits as part of a request; what `request` leaves out stays as it is. */
export const inRequest = <T>(request: CurrentRequest, work: () => T): T =>
  current.run({ ...current.getStore(), ...request }, work)

/** Runs `work` as part of no request, because several wait for it. */
export const detached = <T>(work: () => T): T => current.run(NONE, work)

/** Returns `work` as part of the request that is being worked on now, whoever calls it later. */
export function ofThisRequest<T>(work: () => T): () => T {
  const request = currentRequest()
  return () => current.run(request, work)
}

/** Empty for what no request has begun. */
export const currentRequest = (): CurrentRequest => current.getStore() ?? NONE
