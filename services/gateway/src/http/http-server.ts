import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { getRequestListener, RequestError } from '@hono/node-server'
import { AppError, ERROR_STATUS, errorBody } from '@youworker/contracts/errors'
import { newCorrelationId, newTraceparent } from '@youworker/runtime/correlation'
import { inRequest } from '@youworker/runtime/current-request'
import { logServed } from '@youworker/runtime/log-served'
import type { Logger } from '@youworker/runtime/logger'
import { type Api, UNKNOWN_ROUTE } from './api.ts'
import { RequestContext, type RequestSettings } from './request-context.ts'
import { toAppError } from './answers/to-app-error.ts'
import type { SocketServer } from '../web-socket/socket-server.ts'

const HEADERS_MS = 15_000
/** Longest time one request may take to arrive; bodies have tighter limits of their own. */
const REQUEST_MS = 3_600_000
/** Clients learn it from the header `Keep-Alive` and let go of an idle connection before. */
const KEEP_ALIVE_MS = 65_000
const MAX_HEADER_BYTES = 32 * 1024

interface Parts {
  readonly api: Api
  readonly logger: Logger
  readonly sockets: SocketServer
  readonly settings: RequestSettings
}

/** Answers what node refuses before there is a request, with the error body of all routes. */
function refuse(socket: Duplex, error: AppError, logger: Logger): void {
  if (!socket.writable) return void socket.destroy()
  const correlationId = logRefused(logger, error)
  const body = JSON.stringify(errorBody(error, correlationId))
  const status = ERROR_STATUS[error.code]
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
    `x-correlation-id: ${correlationId}`,
    'x-content-type-options: nosniff',
    'connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}

function fromParser(error: NodeJS.ErrnoException): AppError {
  if (error.code === 'HPE_HEADER_OVERFLOW') {
    return new AppError('PAYLOAD_TOO_LARGE', `The headers may have at most ${MAX_HEADER_BYTES / 1024} KB`, { cause: error })
  }
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return new AppError('VALIDATION_ERROR', 'The request did not arrive in time; send it again', { cause: error })
  }
  return new AppError('VALIDATION_ERROR', 'This is not a valid HTTP request', { cause: error })
}

/** Returns the correlation id of the line. */
function logRefused(logger: Logger, { code }: AppError): string {
  const correlationId = newCorrelationId()
  const of = { ms: 0, user_id: undefined, traceparent: newTraceparent('00'), isRoutine: false }
  logServed(logger, { route: UNKNOWN_ROUTE, code, correlationId, ...of })
  return correlationId
}

/** Answers what the adaptor cannot make a request of (an invalid `Host`): it never reaches the API. */
function refuseRequest(cause: unknown, logger: Logger): Response {
  const isTheirs = cause instanceof RequestError
  const error = isTheirs ? new AppError('VALIDATION_ERROR', 'The path or the Host is not valid', { cause }) : toAppError(cause)
  const correlationId = logRefused(logger, error)
  const headers = { 'x-correlation-id': correlationId, 'x-content-type-options': 'nosniff' }
  return Response.json(errorBody(error, correlationId), { status: ERROR_STATUS[error.code], headers })
}

/** Not the adaptor's own server, which answers what it refuses with an empty 400. */
function createListener({ api, settings, logger }: Parts): RequestListener {
  const listener = getRequestListener(
    // The adaptor's types also allow HTTP/2, which is not served here.
    (request, { incoming, outgoing }) => {
      const context = new RequestContext(incoming as IncomingMessage, outgoing as ServerResponse, settings)
      const { correlationId, span } = context
      return inRequest({ correlationId, traceparent: span.traceparent }, () => api.fetch(request, context))
    },
    {
      // Used when there is no `Host` (HTTP/1.0).
      hostname: 'localhost',
      // The rest of this process must keep node's own Request and Response.
      overrideGlobalObjects: false,
      // `discardRest` does it and waits longer.
      autoCleanupIncoming: false,
      errorHandler: (error) => refuseRequest(error, logger),
    },
  )
  return (incoming, outgoing) => {
    // The adaptor cannot make a URL of `OPTIONS *` (RFC 9112 section 3.2.4).
    if (incoming.url === '*') incoming.url = '/*'
    void listener(incoming, outgoing)
  }
}

export function createHttpServer(parts: Parts): Server {
  const { sockets, logger } = parts
  const listener = createListener(parts)
  const server = createServer(
    {
      headersTimeout: HEADERS_MS,
      requestTimeout: REQUEST_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
      keepAliveTimeout: KEEP_ALIVE_MS,
      // No answer depends on the host's name.
      requireHostHeader: false,
      // Other upgrades (`curl --http2` offers h2c) are ignored: they are served as plain requests.
      shouldUpgradeCallback: ({ headers }) => headers.upgrade?.toLowerCase() === 'websocket',
    },
    listener,
  )
  // Of a server for HTTP it is a socket of the network.
  server.on('upgrade', (incoming, socket, head) => void sockets.upgrade(incoming, socket as Socket, head))
  server.on('connect', (_, socket) =>
    refuse(socket, new AppError('METHOD_NOT_ALLOWED', 'This is no proxy: CONNECT is not served'), logger),
  )
  // An unknown `Expect` is ignored, which RFC 9110 section 10.1.1 allows.
  server.on('checkExpectation', listener)
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (error.code === 'ECONNRESET') socket.destroy()
    else refuse(socket, fromParser(error), logger)
  })
  return server
}
