import type { OutgoingHttpHeaders } from 'node:http'
import { type AppError, ERROR_STATUS, errorBody } from '@youworker/contracts/errors'
import type { RequestContext } from './request-context.ts'
import { errorHeaders } from './error-envelope.ts'

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

/** The handler has written, or goes on writing, the answer itself. */
export const SENT = new Reply(0, undefined)

/** A string or bytes go out as they are, `undefined` as no body, everything else as JSON. */
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

export const sendError = (context: RequestContext, error: AppError): void =>
  send(context, ERROR_STATUS[error.code], errorBody(error, context.correlationId), errorHeaders(error))
