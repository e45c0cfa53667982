import type { Request } from '@youworker/contracts/define'
import { ALWAYS_ALLOWED, AppError, type ErrorCode } from '@youworker/contracts/errors'
import { LIMITS } from '@youworker/contracts/limits'
import { requireScope } from '@youworker/contracts/scopes'
import type { Logger } from '@youworker/runtime/logger'
import { metrics } from '@youworker/runtime/health/metrics'
import { newTraceparent } from '@youworker/runtime/correlation'
import { inRequest } from '@youworker/runtime/current-request'
import { logServed } from '@youworker/runtime/log-served'
import { startSpan } from '@youworker/runtime/tracing/span'
import type { ServiceMsg } from 'nats'
import type { CallContext } from './context.ts'
import { adviceFor } from './advice.ts'
import { type Denial, denialOf } from './denial.ts'
import { describeError } from '@youworker/runtime/describe-error'
import { type IncomingCall, readCall } from './incoming-call.ts'
import type { SendQueue } from '../connection/send-queue.ts'
import type { TokenVerifier } from '../tokens/token-verifier.ts'
import { argsLine, decodeJson, encodeError, encodeJson, HEADER, linesOf, NO_BYTES, splitBytes } from './wire.ts'

export interface Load {
  inFlight: number
  readonly maxInFlight: number
  /** Called when the last running request ends. */
  idle: () => void
}

interface EndpointParts {
  readonly request: Request
  readonly handle: (input: unknown, context: CallContext) => Promise<unknown>
  readonly verifier: TokenVerifier | undefined
  readonly logger: Logger
  readonly load: Load
  readonly sends: SendQueue
  readonly service: string
  readonly onDenied: ((denial: Denial, context: CallContext) => void) | undefined
}

const BUSY = new AppError('SERVICE_UNAVAILABLE', 'Too many requests are running; try again in a second', { retryAfter: 1 })

/**
 * Serves one request of a contract: every message gets exactly one reply. Must not throw into the NATS callback, which would
 * end the connection.
 */
export class Endpoint {
  readonly #parts: EndpointParts
  readonly #mayCross: ReadonlySet<ErrorCode>
  readonly #duration: { observe(seconds: number): void }

  constructor(parts: EndpointParts) {
    this.#parts = parts
    this.#mayCross = new Set([...parts.request.errors, ...ALWAYS_ALLOWED])
    this.#duration = metrics.rpcDuration.labels(parts.request.subject)
  }

  receive(message: ServiceMsg): void {
    const { load, logger, request } = this.#parts
    const call = this.#readCall(message)
    if (!call) return
    const { subject } = request
    const { deadline, correlationId, parent } = call
    const attributes = { 'messaging.system': 'nats', 'youworker.correlation_id': correlationId }
    // What a process asks for itself is not traced.
    if (parent !== undefined) call.span = startSpan({ kind: 'server', name: subject, parent, attributes })
    call.traceparent = call.span?.traceparent ?? newTraceparent('00')
    if (load.inFlight >= load.maxInFlight) return this.#fail(message, call, BUSY)
    load.inFlight += 1
    inRequest({ deadline, correlationId, traceparent: call.traceparent }, () => this.#serve(message, call))
      .catch((error: unknown) =>
        logger.error({ subject, error: describeError(error) }, 'a reply to a request could not be built'),
      )
      .finally(() => {
        this.#duration.observe((performance.now() - call.receivedAt) / 1_000)
        load.inFlight -= 1
        if (load.inFlight === 0) load.idle()
      })
  }

  /** Resolves when the handler has ended, which may be long after the deadline and its reply. */
  async #serve(message: ServiceMsg, call: IncomingCall): Promise<void> {
    let begun = false
    let expired = false
    const expire = () => {
      expired = true
      const { request } = this.#parts
      const advice = begun ? adviceFor(request, call.idempotencyKey) : 'try again'
      const error = new AppError('DEADLINE_EXCEEDED', `${request.subject} took too long; ${advice}`, { retryAfter: 1 })
      this.#fail(message, call, error)
      call.expire(error)
    }
    if (call.deadline <= Date.now()) return expire()
    begun = true
    const timer = setTimeout(expire, Math.max(0, call.replyBy - Date.now()))
    try {
      const output = await this.#run(message, call)
      if (!expired) this.#reply(message, call, output)
    } catch (error) {
      if (!expired) this.#fail(message, call, error)
    } finally {
      clearTimeout(timer)
    }
  }

  /** The NATS library throws on malformed headers. */
  #readCall(message: ServiceMsg): IncomingCall | undefined {
    try {
      return readCall(message.headers, this.#parts.request.deadlineMs)
    } catch (cause) {
      const error = new AppError('VALIDATION_ERROR', 'The headers of the request cannot be read', { cause })
      this.#fail(message, readCall(undefined, this.#parts.request.deadlineMs), error)
      return undefined
    }
  }

  async #run(message: ServiceMsg, call: IncomingCall): Promise<unknown> {
    const { request, verifier, handle } = this.#parts
    const size = message.data.length + (call.args?.length ?? 0)
    const { maxBytes = LIMITS.wire } = request
    if (size > maxBytes) {
      throw new AppError('PAYLOAD_TOO_LARGE', `The request is ${size} bytes; ${maxBytes} fit into one`)
    }
    if ((call.idempotencyKey?.length ?? 0) > LIMITS.idempotencyKey) {
      throw new AppError('VALIDATION_ERROR', `An idempotency key has at most ${LIMITS.idempotencyKey} characters`)
    }
    if (request.auth !== 'user') return handle(this.#input(message, call), call.context())
    if (call.token === undefined || !verifier) {
      throw new AppError('NOT_AUTHENTICATED', 'Not authenticated: the request carries no access token; sign in first')
    }
    const caller = await verifier.verify(call.token, request.audience)
    call.userId = caller.user_id
    if (request.scopes) requireScope(caller.scopes, request.scopes)
    const [input, context] = [this.#input(message, call), call.userContext(caller)]
    try {
      return await handle(input, context)
    } catch (error) {
      const denial = denialOf(request, input, caller, error)
      if (denial) this.#parts.onDenied?.(denial, context)
      throw error
    }
  }

  #input({ data }: ServiceMsg, { args }: IncomingCall): unknown {
    const { request } = this.#parts
    const isBytes = request.body === 'bytes'
    let json: unknown
    try {
      json = isBytes ? JSON.parse(args ?? '{}') : decodeJson(data)
    } catch (cause) {
      throw new AppError('VALIDATION_ERROR', 'The request is not valid JSON', { cause })
    }
    const parsed = request.input.safeParse(json)
    if (!parsed.success) throw AppError.fromZod(parsed.error)
    return isBytes ? { ...Object(parsed.data), bytes: data } : parsed.data
  }

  #reply(message: ServiceMsg, call: IncomingCall, output: unknown): void {
    const { request } = this.#parts
    const isBytes = request.reply === 'bytes'
    const { bytes, json } = isBytes ? splitBytes(output) : { bytes: NO_BYTES, json: output }
    const parsed = request.output.safeParse(json)
    if (!parsed.success)
      throw new Error(`the handler of ${request.subject} returned output that breaks its contract`, {
        cause: AppError.fromZod(parsed.error),
      })
    const data = isBytes ? bytes : encodeJson(parsed.data)
    const lines = isBytes ? argsLine(parsed.data) : ''
    const size = data.length + lines.length
    if (size > LIMITS.wire) throw new Error(`the reply of ${request.subject} is ${size} bytes; ${LIMITS.wire} fit into one`)
    this.#send(message, data, lines)
    this.#told(call)
  }

  #fail(message: ServiceMsg, call: IncomingCall, error: unknown): void {
    const { request, logger, service } = this.#parts
    const { subject } = request
    const { correlationId } = call
    let known = error instanceof AppError && this.#mayCross.has(error.code) ? error : undefined
    if (!known || known.code === 'INTERNAL_ERROR' || known.code === 'DATABASE_ERROR') {
      logger.error({ subject, correlation_id: correlationId, error: describeError(error) }, `${subject} failed`)
      known ??= new AppError('INTERNAL_ERROR', `Something broke in ${service}; look for ${correlationId} in its log`)
    }
    this.#send(message, encodeError(known), `${HEADER.errorCode}: ${known.code}\r\n`)
    this.#told(call, known.code)
  }

  /** At the reply, which may come before the handler ends. */
  #told(call: IncomingCall, code?: ErrorCode): void {
    const { logger, request } = this.#parts
    const { subject, body, reply } = request
    const { correlationId, traceparent, userId: user_id } = call
    call.span?.end(code === undefined ? {} : { error: code })
    const isPieceOfFile = body === 'bytes' || reply === 'bytes'
    const isRoutine = call.isRoutine || isPieceOfFile || subject.endsWith('.health.check')
    const ms = performance.now() - call.receivedAt
    logServed(logger, { subject, code, ms, user_id, correlationId, traceparent, isRoutine })
  }

  #send(message: ServiceMsg, data: Uint8Array, lines: string): void {
    const { sends, request, logger } = this.#parts
    sends.add(() => {
      try {
        message.respond(data, lines === '' ? undefined : { headers: linesOf(lines) })
      } catch (error) {
        logger.warn({ subject: request.subject, error: describeError(error) }, 'a reply could not be sent')
      }
    })
  }
}
