import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { RequestClient } from '@youworker/contracts/audit/audit-entry'
import type { CallOptions, CallScope } from '@youworker/messaging/requests/client'
import { AppError, type ErrorCode } from '@youworker/contracts/errors'
import { LIMITS } from '@youworker/contracts/limits'
import { newCorrelationId, readCorrelationId, readTraceparent } from '@youworker/runtime/correlation'
import { logServed } from '@youworker/runtime/log-served'
import type { Logger } from '@youworker/runtime/logger'
import { cleanText } from '@youworker/runtime/text/text'
import { type Span, startSpan } from '@youworker/runtime/tracing/span'
import { type Authenticator, type Identity, notAuthenticated } from './guards/authenticate.ts'
import { addressForLimits } from './guards/client-address.ts'
import { RequestDeadline } from './request-deadline.ts'
import { allowedOrigin, corsHeaders } from './guards/cors.ts'
import type { KnownDevices } from './guards/known-device.ts'
import type { TrustedProxies } from './guards/trusted-proxies.ts'
import { type RateState, rateHeaders } from './guards/rate-limit.ts'

/** The same for all requests. */
export interface RequestSettings {
  readonly securityHeaders: Readonly<OutgoingHttpHeaders>
  readonly origins: ReadonlySet<string>
  readonly proxies: TrustedProxies
  readonly devices: KnownDevices
  /** How long a request may take in all. */
  readonly deadlineMs: number
  /** How long a client of a stream may read nothing while there is something to read. */
  readonly stallMs: number
}

interface ServedAs {
  readonly route: string
  readonly status?: number
  readonly isRoutine?: boolean
}

/** In logs, as of nginx, for a request that was given up before its answer. */
const CLIENT_LEFT = 499

/** In the trace of a client that sent a valid traceparent, else in a new one. Its name gets the route once that is known. */
function spanOf({ method = 'OTHER', headers }: IncomingMessage, correlationId: string): Span {
  const attributes = { 'http.request.method': method, 'youworker.correlation_id': correlationId }
  return startSpan({ kind: 'server', name: method, parent: readTraceparent(headers['traceparent']), attributes })
}

const MAX_USER_AGENT = 256

function userAgentOf({ 'user-agent': name = '' }: IncomingHttpHeaders): string | null {
  const clean = cleanText(name, { lines: 'join', max: MAX_USER_AGENT }).replace(/[^\x20-\x7e]/g, '?')
  return clean.trim() || null
}

/** One request with its answer and its caller. */
export class RequestContext {
  readonly incoming: IncomingMessage
  readonly outgoing: ServerResponse
  readonly correlationId: string
  readonly span: Span
  readonly receivedAt = performance.now()
  readonly origin: string | undefined
  readonly deadline: RequestDeadline
  identity: Identity | undefined
  rate: RateState | undefined
  /** Of a JSON body; 0 without one. */
  bodyBytes = 0
  /** Of the error that answers it. */
  code: ErrorCode | undefined
  readonly #settings: RequestSettings
  #address: string | undefined
  #limitKey: string | undefined
  #client: RequestClient | undefined
  #scope: CallScope | undefined

  constructor(incoming: IncomingMessage, outgoing: ServerResponse, settings: RequestSettings) {
    this.incoming = incoming
    this.outgoing = outgoing
    this.#settings = settings
    settings.proxies.watch(incoming)
    this.deadline = new RequestDeadline(settings.deadlineMs)
    this.correlationId = readCorrelationId(incoming.headers['x-correlation-id']) ?? newCorrelationId()
    this.span = spanOf(incoming, this.correlationId)
    this.origin = allowedOrigin(incoming.headers, settings.origins)
  }

  get stallMs(): number {
    return this.#settings.stallMs
  }

  /** Canonical; behind trusted proxies the one that they report. */
  get address(): string {
    this.#address ??= this.#settings.proxies.clientAddress(this.incoming)
    return this.#address
  }

  /** Whom the limits of anonymous clients count: one known browser, not all that share its address, or else the address. */
  get limitKey(): string {
    this.#limitKey ??= this.#settings.devices.read(this.incoming.headers) ?? addressForLimits(this.address)
    return this.#limitKey
  }

  /** For the audit trail. */
  get client(): RequestClient {
    this.#client ??= { address: this.address, user_agent: userAgentOf(this.incoming.headers) }
    return this.#client
  }

  /** Throws `NOT_AUTHENTICATED` when the request is anonymous, which it never is on a route with `auth: 'required'`. */
  get caller() {
    if (!this.identity) throw notAuthenticated()
    return this.identity.caller
  }

  get scope(): CallScope {
    this.#scope ??= this.scopeOf(this.identity)
    return this.#scope
  }

  scopeOf(identity: Identity | undefined): CallScope {
    const { correlationId, client, deadline, span } = this
    return {
      caller: identity?.caller,
      correlationId,
      traceparent: span.traceparent,
      client,
      get deadline() {
        return deadline.at
      },
      signal: deadline.signal,
    }
  }

  /** With a token that is valid now: for uploads, downloads and streams, which outlive an access token. */
  async renewedScope(authenticator: Pick<Authenticator, 'authenticate'>): Promise<CallScope> {
    return this.scopeOf(this.identity && (await authenticator.authenticate(this.identity.credential)))
  }

  /** For calls that change something: the client's `Idempotency-Key`, when it sent one. */
  get idempotency(): CallOptions {
    const key = this.incoming.headers['idempotency-key']
    if (key === undefined) return {}
    if (typeof key === 'string' && key.length <= LIMITS.idempotencyKey && /^[\x21-\x7e]+$/.test(key))
      return { idempotencyKey: key }
    throw new AppError(
      'VALIDATION_ERROR',
      `Idempotency-Key takes 1 to ${LIMITS.idempotencyKey} printable ASCII characters without blanks`,
    )
  }

  get #status(): number {
    return this.outgoing.headersSent ? this.outgoing.statusCode : CLIENT_LEFT
  }

  /** Ends the request's span and logs its line, once the answer is sent or the client has left. */
  served(logger: Logger, { route, isRoutine = false, status = this.#status }: ServedAs): void {
    const { incoming, code, correlationId, span } = this
    const { method } = incoming
    const attributes = { 'http.route': route, 'http.response.status_code': status }
    span.end({ name: `${method} ${route}`, attributes, error: status >= 500 ? code : undefined })
    const ms = performance.now() - this.receivedAt
    const user_id = this.identity?.caller.user_id
    const { traceparent } = span
    logServed(logger, { route, method, status, code, ms, user_id, correlationId, traceparent, isRoutine })
  }

  /** Headers of every answer; those in `more` win. OpenAI's and Anthropic's clients show `x-request-id`. */
  headers(more?: OutgoingHttpHeaders): OutgoingHttpHeaders {
    const headers: OutgoingHttpHeaders = {
      ...this.#settings.securityHeaders,
      'x-correlation-id': this.correlationId,
      'x-request-id': this.correlationId,
    }
    if (this.origin !== undefined) Object.assign(headers, corsHeaders(this.origin))
    if (this.rate !== undefined) Object.assign(headers, rateHeaders(this.rate))
    return more === undefined ? headers : Object.assign(headers, more)
  }
}
