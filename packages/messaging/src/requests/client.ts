import type { RequestClient } from '@youworker/contracts/audit/audit-entry'
import type { CallInput, CallOutput, Contract, Request, RequestNames } from '@youworker/contracts/define'
import { requestsOf } from '@youworker/contracts/define'
import { ALWAYS_ALLOWED, AppError, type ErrorCode } from '@youworker/contracts/errors'
import { LIMITS } from '@youworker/contracts/limits'
import type { Breaker } from '@youworker/runtime/timing/breaker'
import { currentRequest } from '@youworker/runtime/current-request'
import { retry } from '@youworker/runtime/timing/retry'
import { errorName, type Span, startSpan } from '@youworker/runtime/tracing/span'
import type { Msg, MsgHdrs } from 'nats'
import type { NatsConnection } from '../connection/connect.ts'
import { isLost, isUnsent } from '../connection/transport-error.ts'
import { adviceFor } from './advice.ts'
import { argsLine, decodeError, decodeJson, encodeJson, HEADER, line, splitBytes } from './wire.ts'

/**
 * The caller, trace, deadline and cancellation of a call. A handler's context can be passed as one. Correlation id and trace are by
 * default those of the request that is being served.
 */
export interface CallScope {
  readonly caller?: { readonly token: string } | undefined
  readonly correlationId?: string | undefined
  readonly traceparent?: string | undefined
  readonly client?: RequestClient | undefined
  /** Epoch ms; the contract's own limit applies as well. */
  readonly deadline?: number | undefined
  readonly signal?: AbortSignal | undefined
}

export interface CallOptions {
  /** Replaces the contract's `deadlineMs`. */
  readonly timeoutMs?: number
  readonly idempotencyKey?: string | undefined
}

/** Every request of a contract as a plain async method. */
export type Client<C extends Contract> = {
  readonly [K in RequestNames<C>]: (input: CallInput<C[K]>, options?: CallOptions) => Promise<CallOutput<C[K]>>
}

/** The parts of a call that are the same for every call of one request. */
interface Route {
  readonly nats: NatsConnection
  readonly request: Request
  readonly breaker: Breaker
  readonly mayCross: ReadonlySet<ErrorCode>
}

const RETRY = { attempts: 4, baseMs: 50, maxMs: 500 } as const
/** With less time left nothing is sent again: no answer could come in time. */
const SHORTEST_MS = 200
const NOBODY: CallScope = {}
const NATS = { 'messaging.system': 'nats' }

/**
 * Calls reject with the codes of the contract or with those that are always allowed: a timeout is `DEADLINE_EXCEEDED`; no
 * responders, a lost connection and a refused permission are `SERVICE_UNAVAILABLE`. An aborted signal rejects with its reason.
 */
export function createClient<C extends Contract>(
  nats: NatsConnection,
  contract: C,
): Client<C> & { as(scope: CallScope): Client<C> } {
  const methods: PropertyDescriptorMap = {}
  for (const [name, request] of requestsOf(contract)) {
    const breaker = nats.breakerOf(request.subject)
    const route: Route = { nats, request, breaker, mayCross: new Set([...request.errors, ...ALWAYS_ALLOWED]) }
    methods[name] = {
      get(this: { scope: CallScope }) {
        const { scope } = this
        return (input: unknown, options?: CallOptions) => call(route, scope, input, options)
      },
    }
  }
  // Methods are getters on one prototype, so that `as` creates one small object and not a closure per request.
  const prototype: object = Object.defineProperties({}, methods)
  const bind = (scope: CallScope) => Object.assign(Object.create(prototype), { scope })
  return Object.assign(bind(NOBODY), { as: bind })
}

async function call(route: Route, scope: CallScope, input: unknown, options: CallOptions = {}): Promise<unknown> {
  const { subject } = route.request
  const parent = scope.traceparent ?? currentRequest().traceparent
  const span = parent === undefined ? undefined : startSpan({ kind: 'client', name: subject, parent, attributes: NATS })
  try {
    const output = await send(route, scope, input, { ...options, span })
    span?.end()
    return output
  } catch (error) {
    span?.end({ error: errorName(error) })
    throw error
  }
}

async function send(
  route: Route,
  scope: CallScope,
  input: unknown,
  { timeoutMs, idempotencyKey, span }: CallOptions & { readonly span: Span | undefined },
): Promise<unknown> {
  const { nats, request, breaker } = route
  const { subject } = request
  const own = Date.now() + (timeoutMs ?? request.deadlineMs)
  const deadline = scope.deadline === undefined ? own : Math.min(own, scope.deadline)
  const { data, args } = encodeInput(request, input)
  let lines = `${HEADER.deadline}: ${Math.floor(deadline)}\r\n${args}`
  const { correlationId = currentRequest().correlationId } = scope
  if (correlationId !== undefined) lines += line(HEADER.correlationId, correlationId)
  if (span) lines += line(HEADER.traceparent, span.traceparent)
  if (scope.client) lines += clientLines(scope.client)
  if (scope.caller && request.auth === 'user') lines += line(HEADER.token, scope.caller.token)
  if (idempotencyKey !== undefined) lines += line(HEADER.idempotencyKey, idempotencyKey)
  const { signal } = scope
  const advice = adviceFor(request, idempotencyKey)
  const attempt = async () => {
    const waitMs = deadline - Date.now()
    if (waitMs <= 0) throw new AppError('DEADLINE_EXCEEDED', `No time was left for ${subject}; try again`, { retryAfter: 1 })
    const timed = `${HEADER.timeLeft}: ${Math.floor(waitMs)}\r\n${lines}`
    return breaker.run(() => nats.inbox.request({ subject, data, lines: timed, waitMs, signal, advice }))
  }
  const mayRepeat = request.repeatable ? isLost : isUnsent
  const isRetryable = (error: unknown) => mayRepeat(error) && deadline - Date.now() > SHORTEST_MS
  const reply = await retry(attempt, { ...RETRY, signal, isRetryable })
  return decodeReply(route, reply)
}

const clientLines = ({ address, user_agent }: RequestClient): string =>
  line(HEADER.clientAddress, address) + (user_agent === null ? '' : line(HEADER.userAgent, user_agent))

function encodeInput(request: Request, input: unknown): { data: Uint8Array; args: string } {
  const { bytes, json } = request.body === 'bytes' ? splitBytes(input) : { bytes: undefined, json: input }
  const data = bytes ?? encodeJson(json)
  const args = bytes ? argsLine(json) : ''
  const size = data.length + args.length
  const { maxBytes = LIMITS.wire } = request
  if (size <= maxBytes) return { data, args }
  throw new AppError('PAYLOAD_TOO_LARGE', `The request is ${size} bytes; ${maxBytes} fit into one`)
}

function decodeReply({ request, mayCross }: Route, reply: Msg): unknown {
  const { data } = reply
  const headers = headersOf(request, reply)
  const code = headers?.get(HEADER.errorCode)
  if (code) throw peerError(request, mayCross, code, data)
  if (request.reply === 'json') return checked(request, () => decodeJson(data))
  const rest = checked(request, () => JSON.parse(headers?.get(HEADER.args) || '{}'))
  return Object.assign(rest, { bytes: data })
}

function headersOf(request: Request, reply: Msg): MsgHdrs | undefined {
  try {
    return reply.headers
  } catch (cause) {
    throw new AppError('INTERNAL_ERROR', `The answer of ${request.subject} has headers that cannot be read`, { cause })
  }
}

function checked(request: Request, read: () => unknown): object {
  try {
    const parsed = request.output.safeParse(read())
    if (parsed.success) return Object(parsed.data)
    throw parsed.error
  } catch (cause) {
    throw new AppError('INTERNAL_ERROR', `The answer of ${request.subject} is not what its contract says`, { cause })
  }
}

function peerError(request: Request, mayCross: ReadonlySet<ErrorCode>, code: string, data: Uint8Array): AppError {
  try {
    const error = decodeError(code, data)
    if (mayCross.has(error.code)) return error
    return new AppError('INTERNAL_ERROR', `${request.subject} failed in a way its contract does not name`, { cause: error })
  } catch (cause) {
    return new AppError('INTERNAL_ERROR', `${request.subject} failed without saying how`, { cause })
  }
}
