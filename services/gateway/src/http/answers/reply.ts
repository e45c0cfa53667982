import type { OutgoingHttpHeaders } from 'node:http'
import { type AppError, ERROR_STATUS, errorBody } from '@youworker/contracts/errors'
import type { RequestContext } from '../request-context.ts'

/** An answer that needs more than the route's own status and a JSON body. */
export class Reply {
  readonly status: number
  readonly body: unknown
  readonly headers: OutgoingHttpHeaders

  constructor(status: number, body: unknown, headers: OutgoingHttpHeaders = {}) {
    this.status = status
    this.body = body
    this.headers = headers
  }
}

/** Returned by handlers that write the answer themselves. */
export const SENT = new Reply(0, undefined)

/** Sends a string or bytes as they are, `undefined` as no body, everything else as JSON. */
export function send(context: RequestContext, status: number, body: unknown, more?: OutgoingHttpHeaders): void {
  const { outgoing } = context
  const headers = context.headers(more)
  if (body === undefined) {
    if (status !== 204 && status !== 304) headers['content-length'] = 0
    outgoing.writeHead(status, headers).end()
    return
  }
  const isRaw = typeof body === 'string' || body instanceof Uint8Array
  const payload = isRaw ? body : JSON.stringify(body)
  headers['content-type'] ??= 'application/json'
  headers['content-length'] = Buffer.byteLength(payload)
  outgoing.writeHead(status, headers).end(payload)
}

const RETRY_LATER = new Set([429, 503, 504, 507])

/** `WWW-Authenticate` or `Retry-After`, for the statuses that have them. */
function errorHeaders({ code, retryAfter }: AppError): OutgoingHttpHeaders {
  const status = ERROR_STATUS[code]
  if (status === 401) return { 'www-authenticate': 'Bearer realm="youworker"' }
  return RETRY_LATER.has(status) ? { 'retry-after': String(Math.max(1, Math.ceil(retryAfter ?? 1))) } : {}
}

export const sendError = (context: RequestContext, error: AppError): void =>
  send(context, ERROR_STATUS[error.code], errorBody(error, context.correlationId), errorHeaders(error))
