import type { OutgoingHttpHeaders } from 'node:http'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import { AppError } from '@youworker/contracts/errors'
import type { Logger } from '@youworker/runtime/logger'
import { metrics } from '@youworker/runtime/health/metrics'
import { type Context, type Handler, Hono } from 'hono'
import { routePath } from 'hono/route'
import { canonicalPath } from './canonical-path.ts'
import type { Method, Route } from './define-route.ts'
import type { Dispatcher } from './dispatcher.ts'
import type { RequestContext } from './request-context.ts'
import { type AddressList, requireListed } from './guards/client-address.ts'
import { preflightHeaders } from './guards/cors.ts'
import { toAppError } from './answers/to-app-error.ts'
import { discardRest, hasBody } from './read-body.ts'
import { send, sendError } from './answers/reply.ts'

const METHODS: readonly Method[] = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']
/** In logs and metrics. */
export const UNKNOWN_ROUTE = 'unknown'

/** Answers are written to `c.env.outgoing`; making a web `Response` for each would cost more. */
type Env = { Bindings: RequestContext }
export type Api = Hono<Env>

/** For load balancers, whose addresses are nobody's: whether the process runs and can serve, and nothing else. */
const OPEN_PATHS: ReadonlySet<string> = new Set(['/health/live', '/health/ready'])

interface Deps {
  /** Addresses that are served; empty for all. */
  readonly allowList: AddressList
  readonly routes: readonly Route[]
  readonly dispatcher: Dispatcher
  readonly logger: Logger
}

/** Serves every route under its path and aliases, and answers all other requests with 404, 405 or `Allow`. */
export function createApi({ allowList, routes, dispatcher, logger }: Deps): Api {
  const api: Api = new Hono<Env>({ getPath: (_, options) => canonicalPath(options?.env?.incoming.url) })
  const routeOf = new Map<unknown, Route>()
  const admit = (context: RequestContext, route?: Route) => {
    prepare(context, logger, route)
    if (route === undefined || !OPEN_PATHS.has(route.path)) requireListed(context.address, allowList)
  }
  const unmatched = ({ env, req }: Context<Env>): AppError => {
    const methods = methodsOf(api, routeOf, req.path)
    if (methods.length === 0) return routeNotFound()
    env.outgoing.setHeader('allow', methods.join(', '))
    return new AppError('METHOD_NOT_ALLOWED', `This path takes ${methods.join(', ')}`)
  }
  // Hono takes the first match, and `/v1/groups/me` must win over `/v1/groups/{group_id}`.
  for (const route of routes.toSorted((a, b) => parametersOf(a) - parametersOf(b))) {
    const handler: Handler<Env> = (c) => {
      admit(c.env, route)
      if (c.env.incoming.method === 'HEAD' && !hasHead(route)) throw unmatched(c)
      return dispatcher.serve(c.env, route, c.req)
    }
    routeOf.set(handler, route)
    const paths = [route.path, ...route.aliases].map((path) => path.replaceAll(/\{(\w+)\}/g, ':$1'))
    api.on(route.method, paths, handler)
  }
  api.options('*', ({ env, req }) => {
    admit(env)
    const isPreflight = env.origin !== undefined && env.incoming.headers['access-control-request-method'] !== undefined
    const methods = isPreflight ? [] : methodsOf(api, routeOf, req.path)
    if (!isPreflight && methods.length === 0 && req.path !== '/*') throw routeNotFound()
    send(
      env,
      204,
      undefined,
      isPreflight ? preflightHeaders : { allow: methods.join(', '), ...discoveryOf(api, routeOf, req.path) },
    )
    return RESPONSE_ALREADY_SENT
  })
  api.notFound((c) => {
    admit(c.env)
    throw unmatched(c)
  })
  api.onError((error, c) => {
    fail(logger, error, c)
    return RESPONSE_ALREADY_SENT
  })
  return api
}

const parametersOf = ({ path }: Route) => path.split('{').length

/** The length of a stream is unknown before its end. */
const hasHead = ({ media }: Route) => media !== 'text/event-stream'

const routeAtPath = ({ router }: Pick<Api, 'router'>, routeOf: ReadonlyMap<unknown, Route>, method: Method, path: string) =>
  routeOf.get(router.match(method, path)[0][0]?.[0][0])

const discoveryOf = (api: Api, routeOf: ReadonlyMap<unknown, Route>, path: string): OutgoingHttpHeaders =>
  Object.assign({}, ...METHODS.map((method) => routeAtPath(api, routeOf, method, path)?.discovery))

/** For `Allow`; empty when the path is unknown. */
function methodsOf({ router }: Api, routeOf: ReadonlyMap<unknown, Route>, path: string): string[] {
  const routeAt = (method: Method) => routeAtPath({ router }, routeOf, method, path)
  const known: string[] = METHODS.filter(routeAt)
  const get = routeAt('GET')
  if (get && hasHead(get)) known.push('HEAD')
  return known.length > 0 ? [...known, 'OPTIONS'] : []
}

const routeNotFound = () =>
  new AppError('ROUTE_NOT_FOUND', 'There is nothing at this path; GET /openapi.json lists what there is')

/** Registers what follows the answer: its metrics, log line and span, and reading the rest of the body. */
function prepare(context: RequestContext, logger: Logger, route?: Route): void {
  const { incoming, outgoing } = context
  if (hasBody(incoming)) outgoing.once('finish', () => discardRest(incoming))
  outgoing.once('close', () => {
    if (!outgoing.writableFinished) context.deadline.cancel()
    observe(context, route)
    context.served(logger, { route: route?.path ?? UNKNOWN_ROUTE, isRoutine: route?.tag === 'health' })
  })
}

function observe({ outgoing, receivedAt }: RequestContext, route: Route | undefined): void {
  if (route?.media === 'text/event-stream') return
  const labels = { route: route?.path ?? UNKNOWN_ROUTE, method: route?.method ?? 'OTHER', status: String(outgoing.statusCode) }
  metrics.httpRequestDuration.observe(labels, (performance.now() - receivedAt) / 1_000)
}

function fail(logger: Logger, error: unknown, c: Context<Env>): void {
  const failure = toAppError(error)
  const { correlationId: correlation_id, outgoing } = c.env
  c.env.code = failure.code
  if (failure.code === 'INTERNAL_ERROR' || failure.code === 'DATABASE_ERROR') {
    logger.error({ err: error, correlation_id, route: routePath(c) }, 'a request failed')
  }
  // A request gets one reply: once its head is sent no error can follow. A cut connection shows the client that it is incomplete.
  if (outgoing.headersSent) outgoing.destroy()
  else if (!outgoing.destroyed) sendError(c.env, failure)
}
