import { AppError, ERROR_STATUS, type ErrorCode, errorBody } from '@youworker/contracts/errors'
import type { TokenVerifier } from '@youworker/messaging/tokens/token-verifier'
import { newCorrelationId, readCorrelationId, readTraceparent } from '@youworker/runtime/correlation'
import { inRequest } from '@youworker/runtime/current-request'
import { logServed } from '@youworker/runtime/log-served'
import { metrics } from '@youworker/runtime/health/metrics'
import type { Logger } from '@youworker/runtime/logger'
import { startSpan } from '@youworker/runtime/tracing/span'
import { type Context, Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { ToolServer } from '../servers/tool.ts'
import { isForeign } from './own-hosts.ts'

type Env = { Variables: { correlationId: string; traceparent: string; userId?: string; code?: ErrorCode } }

interface Options {
  readonly servers: readonly ToolServer[]
  readonly hosts: ReadonlySet<string>
  readonly verifier: Pick<TokenVerifier, 'verify'>
  readonly logger: Logger
}

const MAX_BODY = 256 * 1024
const MAX_IN_FLIGHT = 128

/** Serves `/<server>/mcp` for each built-in server: MCP over HTTP, POST only, with a token of the system. */
export function createToolRoutes({ servers, hosts, verifier, logger }: Options): Hono<Env> {
  const app = new Hono<Env>()
  app.use(observe(new Set(servers.map(({ name }) => `/${name}/mcp`)), logger))
  app.use(async (c, next) => {
    if (isForeign(hosts, c.req.header('host'), c.req.header('origin'))) {
      throw new AppError('NOT_AUTHORIZED', 'This host name or origin is not served here; use the address in TOOLS__URL')
    }
    await next()
  })
  app.use(limitInFlight())
  for (const server of servers) {
    const path = `/${server.name}/mcp`
    app.on(['GET', 'DELETE', 'PUT', 'PATCH'], path, (c) => {
      c.header('allow', 'POST')
      throw new AppError('METHOD_NOT_ALLOWED', 'There are no sessions and no streams here: send each message by POST')
    })
    app.post(path, authenticate(verifier), bodyLimit({ maxSize: MAX_BODY, onError: tooLarge }), (c) =>
      serveMcp(c, server, logger),
    )
  }
  app.notFound((c) => {
    const paths = servers.map(({ name }) => `/${name}/mcp`).join(', ')
    return failure(c, new AppError('ROUTE_NOT_FOUND', `There is no ${c.req.path}; the servers are ${paths}`))
  })
  app.onError((error, c) => {
    if (!(error instanceof AppError)) logger.error({ err: error, correlation_id: c.get('correlationId') }, 'a request failed')
    const known =
      error instanceof AppError
        ? error
        : new AppError('INTERNAL_ERROR', 'Something broke here; the log says what', { cause: error })
    return failure(c, known)
  })
  return app
}

/** Metrics, log line and span of each request. */
const observe = (known: ReadonlySet<string>, logger: Logger) => async (c: Context<Env>, next: () => Promise<void>) => {
  const started = performance.now()
  const { method } = c.req
  const isKnown = known.has(c.req.path)
  const route = isKnown ? c.req.path : 'unknown'
  const correlationId = readCorrelationId(c.req.header('x-correlation-id')) ?? newCorrelationId()
  const attributes = { 'http.request.method': method, 'http.route': route, 'youworker.correlation_id': correlationId }
  const parent = readTraceparent(c.req.header('traceparent'))
  const span = startSpan({ kind: 'server', name: `${method} ${route}`, parent, attributes })
  const { traceparent } = span
  c.set('correlationId', correlationId)
  c.set('traceparent', traceparent)
  await inRequest({ correlationId, traceparent }, next)
  const { status } = c.res
  const code = c.get('code')
  const ms = performance.now() - started
  metrics.httpRequestDuration.observe({ route, method: isKnown ? method : 'OTHER', status: String(status) }, ms / 1_000)
  span.end({ attributes: { 'http.response.status_code': status }, error: status >= 500 ? code : undefined })
  logServed(logger, { route, method, status, code, ms, user_id: c.get('userId'), correlationId, traceparent, isRoutine: false })
}

function tooLarge(): never {
  throw new AppError('PAYLOAD_TOO_LARGE', `A message may have ${MAX_BODY} bytes`)
}

function limitInFlight() {
  let inFlight = 0
  return async (_: Context<Env>, next: () => Promise<void>) => {
    if (inFlight >= MAX_IN_FLIGHT)
      throw new AppError('SERVICE_UNAVAILABLE', 'Too many tool calls at once; try again', { retryAfter: 1 })
    inFlight += 1
    try {
      await next()
    } finally {
      inFlight -= 1
    }
  }
}

const bearerOf = (c: Context<Env>): string => /^Bearer +(\S+)$/i.exec(c.req.header('authorization') ?? '')?.[1] ?? ''

const authenticate = (verifier: Options['verifier']) => async (c: Context<Env>, next: () => Promise<void>) => {
  const token = bearerOf(c)
  if (token === '') throw new AppError('NOT_AUTHENTICATED', 'Not authenticated: send the token of a run as Authorization: Bearer')
  const { user_id } = await verifier.verify(token, ['run', 'api'])
  c.set('userId', user_id)
  await next()
}

async function serveMcp(c: Context<Env>, server: ToolServer, logger: Logger): Promise<Response> {
  const body = await c.req.json<unknown>().catch((cause: unknown) => {
    if (cause instanceof Error && cause.name === 'BodyLimitError') tooLarge()
    throw new AppError('VALIDATION_ERROR', 'The message is not JSON', { cause })
  })
  // MCP has no batches since revision 2025-06-18; one would evade the limits of a single call.
  if (Array.isArray(body)) throw new AppError('VALIDATION_ERROR', 'Send one message at a time')
  const context = {
    caller: { token: bearerOf(c) },
    correlationId: c.get('correlationId'),
    traceparent: c.get('traceparent'),
    signal: c.req.raw.signal,
  }
  const { answerMcpRequest } = await import('./answer-mcp-request.ts')
  return answerMcpRequest({ request: c.req.raw, body, server, context, logger })
}

function failure(c: Context<Env>, error: AppError): Response {
  const status = ERROR_STATUS[error.code]
  c.set('code', error.code)
  // Unread bytes of the body would block the next request on this connection.
  if (c.req.method === 'POST') c.header('connection', 'close')
  if (status === 401) c.header('www-authenticate', 'Bearer')
  if (status === 503) c.header('retry-after', String(error.retryAfter ?? 1))
  return c.json(errorBody(error, c.get('correlationId') ?? ''), status satisfies ContentfulStatusCode)
}
