import { RequestClient } from '@youworker/contracts/audit/audit-entry'
import { newCorrelationId, readCorrelationId, readTraceparent } from '@youworker/runtime/correlation'
import type { Span } from '@youworker/runtime/tracing/span'
import type { MsgHdrs } from 'nats'
import type { CallContext, Caller, UserContext } from './context.ts'
import { HEADER } from './wire.ts'

/** Upper limit for the deadline that a caller may set. */
const LONGEST_MS = 120_000
/** The clocks of two machines may differ by this much without any effect. */
const CLOCK_SLACK_MS = 2_000
/** Of the caller's time this much is kept: for the reply to arrive, and before it for the end of the work. */
const REPLY_MS = 50
const END_OF_WORK_MS = 100

/** The headers of one received request, and its abort signal. */
export class IncomingCall {
  correlationId = ''
  /** Of the caller's span. */
  parent: string | undefined
  /** Of the span in which it is served. */
  traceparent = ''
  /** Epoch ms at which a reply must be sent. */
  replyBy = 0
  client: RequestClient | undefined
  token: string | undefined
  idempotencyKey: string | undefined
  args: string | undefined
  /** Known once the token was verified. */
  userId: string | undefined
  span: Span | undefined
  readonly receivedAt = performance.now()
  /** The caller named no request that it belongs to: a process asks for itself. */
  isRoutine = false
  #expired: Error | undefined
  #controller: AbortController | undefined

  /** Created on first use, because most handlers never read it. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.#expired) this.#controller.abort(this.#expired)
    return this.#controller.signal
  }

  /** Epoch ms; what the handler begins must end by then. */
  get deadline(): number {
    return this.replyBy - END_OF_WORK_MS
  }

  expire(reason: Error): void {
    this.#expired = reason
    this.#controller?.abort(reason)
  }

  /** A plain object, so that a handler may spread it into a narrower scope. */
  context(): CallContext {
    const { correlationId, traceparent, client, deadline, idempotencyKey } = this
    const signal = () => this.signal
    return {
      correlationId,
      traceparent,
      client,
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
  let address: string | undefined
  let user_agent: string | null = null
  let left = 0
  let sendersDeadline = 0
  // One pass, because every `get` of the library iterates over all headers.
  for (const [name, [value = '']] of headers ?? []) {
    if (name === HEADER.token) call.token = value
    else if (name === HEADER.traceparent) call.parent = readTraceparent(value)
    else if (name === HEADER.correlationId) call.correlationId = value
    else if (name === HEADER.clientAddress) address = value
    else if (name === HEADER.userAgent) user_agent = value
    else if (name === HEADER.timeLeft) left = Number(value)
    else if (name === HEADER.deadline) sendersDeadline = Number(value)
    else if (name === HEADER.idempotencyKey) call.idempotencyKey = value
    else if (name === HEADER.args) call.args = value
  }
  call.isRoutine = call.correlationId === ''
  call.correlationId = readCorrelationId(call.correlationId) ?? newCorrelationId()
  if (address !== undefined) call.client = RequestClient.safeParse({ address, user_agent }).data
  call.replyBy = (callersDeadline(left, sendersDeadline) ?? Date.now() + deadlineMs) - REPLY_MS
  return call
}

/** Headers that are no numbers count as missing. */
function callersDeadline(left: number, sendersDeadline: number): number | undefined {
  const now = Date.now()
  if (!(left > 0)) return sendersDeadline > 0 ? Math.min(sendersDeadline, now + LONGEST_MS) : undefined
  const own = now + Math.min(left, LONGEST_MS)
  return sendersDeadline > 0 ? Math.min(own, sendersDeadline + CLOCK_SLACK_MS) : own
}
