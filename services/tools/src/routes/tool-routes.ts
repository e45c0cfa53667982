import { AppError, ERROR_STATUS, errorBody } from '@youworker/contracts/errors'
import type { TokenVerifier } from '@youworker/messaging/tokens/token-verifier'
import { isCorrelationId, newCorrelationId, newTraceparent } from '@youworker/runtime/correlation'
import { metrics } from '@youworker/runtime/health/metrics'
import type { Logger } from '@youworker/runtime/logger'
import { type Context, Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { ToolServer } from '../servers/tool.ts'
import { isForeign } from './own-hosts.ts'

type Env = { Variables: { correlationId: string } }

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
  app.use(measure(new Set(servers.map(({ name }) => `/${name}/mcp`))))
  app.use(async (c, next) => {
    const given = c.req.header('x-correlation-id')
    c.set('correlationId', given !== undefined && isCorrelationId(given) ? given : newCorrelationId())
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

function measure(known: ReadonlySet<string>) {
  return async (c: Context<Env>, next: () => Promise<void>) => {
    const started = performance.now()
    await next()
    const route = known.has(c.req.path) ? c.req.path : 'unknown'
    const labels = { route, method: known.has(c.req.path) ? c.req.method : 'OTHER', status: String(c.res.status) }
    metrics.httpRequestDuration.observe(labels, (performance.now() - started) / 1_000)
  }
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
  await verifier.verify(token, ['run', 'api'])
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
    traceparent: newTraceparent(c.req.header('traceparent')),
    signal: c.req.raw.signal,
  }
  const { answerMcpRequest } = await import('./answer-mcp-request.ts')
  return answerMcpRequest({ request: c.req.raw, body, server, context, logger })
}

function failure(c: Context<Env>, error: AppError): Response {
  const status = ERROR_STATUS[error.code]
  // Unread bytes of the body would block the next request on this connection.
  if (c.req.method === 'POST') c.header('connection', 'close')
  if (status === 401) c.header('www-authenticate', 'Bearer')
  if (status === 503) c.header('retry-after', String(error.retryAfter ?? 1))
  return c.json(errorBody(error, c.get('correlationId') ?? ''), status satisfies ContentfulStatusCode)
}
