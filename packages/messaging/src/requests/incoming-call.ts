import { isCorrelationId, newCorrelationId, newTraceparent } from '@youworker/runtime/correlation'
import type { MsgHdrs } from 'nats'
import type { CallContext, Caller, UserContext } from './context.ts'
import { HEADER } from './wire.ts'

/** Upper limit for the deadline that a caller may set. */
const LONGEST_MS = 120_000

/** The headers of one received request, and its abort signal. */
export class IncomingCall {
  correlationId = ''
  traceparent = ''
  deadline = 0
  token: string | undefined
  idempotencyKey: string | undefined
  args: string | undefined
  #expired: Error | undefined
  #controller: AbortController | undefined

  /** Created on first use, because most handlers never read it. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.#expired) this.#controller.abort(this.#expired)
    return this.#controller.signal
  }

  expire(reason: Error): void {
    this.#expired = reason
    this.#controller?.abort(reason)
  }

  /** A plain object, so that a handler may spread it into a narrower scope. */
  context(): CallContext {
    const { correlationId, traceparent, deadline, idempotencyKey } = this
    const signal = () => this.signal
    return {
      correlationId,
      traceparent,
      deadline,
      idempotencyKey,
      get signal() {
        return signal()
      },
    }
  }

  userContext(caller: Caller): UserContext {
    return Object.assign(this.context(), { caller })
  }
}

export function readCall(headers: MsgHdrs | undefined, deadlineMs: number): IncomingCall {
  const call = new IncomingCall()
  // One pass, because every `get` of the library iterates over all headers.
  for (const [name, [value = '']] of headers ?? []) {
    if (name === HEADER.token) call.token = value
    else if (name === HEADER.traceparent) call.traceparent = value
    else if (name === HEADER.correlationId) call.correlationId = value
    else if (name === HEADER.deadline) call.deadline = Number(value)
    else if (name === HEADER.idempotencyKey) call.idempotencyKey = value
    else if (name === HEADER.args) call.args = value
  }
  if (!isCorrelationId(call.correlationId)) call.correlationId = newCorrelationId()
  if (call.traceparent === '') call.traceparent = newTraceparent()
  const now = Date.now()
  call.deadline = call.deadline > 0 ? Math.min(call.deadline, now + LONGEST_MS) : now + deadlineMs
  return call
}
