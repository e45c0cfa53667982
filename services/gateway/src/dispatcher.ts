import type { IncomingMessage, ServerResponse } from 'node:http'
import { AppError } from '@youworker/contracts/errors'
import { metrics } from '@youworker/runtime/metrics'
import type { Route } from './define-route.ts'
import type { Deps } from './deps.ts'
import { Exchange, type ExchangeSettings } from './exchange.ts'
import { notAuthenticated, readCredential } from './middleware/authenticate.ts'
import { proxyUsername, requireSameUser } from './middleware/authentik.ts'
import { addressForLimits } from './middleware/client-address.ts'
import { preflightHeaders } from './middleware/cors.ts'
import { toAppError } from './middleware/error-envelope.ts'
import { parseJson, requireJsonType, requirePlainText } from './middleware/parse-json.ts'
import { discardRest, hasBody, readBody } from './middleware/read-body.ts'
import { Reply, SENT, send, sendError } from './reply.ts'
import { canonicalPath, type Match, type RouteTable } from './route-table.ts'

const UNKNOWN_ROUTE = 'unknown'

/** From a request to its answer: match, limit, authenticate, check, handle. Straight calls, in this order, for every route. */
export class Dispatcher {
  readonly #deps: Deps
  readonly #table: RouteTable
  readonly #settings: ExchangeSettings

  constructor(deps: Deps, table: RouteTable, settings: ExchangeSettings) {
    this.#deps = deps
    this.#table = table
    this.#settings = settings
  }

  async dispatch(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const started = performance.now()
    const exchange = new Exchange(incoming, outgoing, this.#settings)
    if (hasBody(incoming)) outgoing.once('finish', () => discardRest(incoming))
    let route: Route | undefined
    outgoing.once('close', () => this.#observe(exchange, route, started))
    try {
      const { path, search } = splitUrl(incoming.url ?? '/')
      const method = incoming.method === 'HEAD' ? 'GET' : (incoming.method ?? '')
      if (method === 'OPTIONS') return this.#options(exchange, path)
      const match = this.#table.match(method, path)
      route = match?.route
      if (!match || (incoming.method === 'HEAD' && match.route.media === 'text/event-stream'))
        throw this.#unmatched(exchange, path)
      await this.#serve(exchange, match, search)
    } catch (error) {
      this.#fail(exchange, error, route)
    }
  }

  async #serve(exchange: Exchange, { route, params: raw }: Match, search: string): Promise<void> {
    this.#requireKnownAddress(exchange, route)
    if (route.auth !== 'none') await this.#authenticate(exchange, route)
    const { identity, incoming } = exchange
    if (route.csrf !== 'none' && identity?.credential.kind === 'session') {
      this.#deps.csrf.require(incoming.headers, identity.caller.sid, route.csrf)
    }
    this.#limit(exchange, route)
    const params = check(route.params, decodeParams(raw), 'The path')
    const query = check(route.query, readQuery(search), 'The query')
    const body = await readJsonBody(exchange, route)
    const answer = await route.handle({ params, query, body, exchange, deps: this.#deps })
    if (answer === SENT) return
    if (answer instanceof Reply) send(exchange, answer.status, answer.body, answer.headers)
    else send(exchange, route.status, answer)
  }

  #requireKnownAddress(exchange: Exchange, route: Route): void {
    const { allowList } = this.#deps
    if (allowList.isEmpty || route.tag === 'health' || allowList.includes(exchange.address)) return
    throw new AppError('NOT_AUTHORIZED', 'Your address is not on the list of this installation (SECURITY__WHITELISTED_IPS)')
  }

  async #authenticate(exchange: Exchange, route: Route): Promise<void> {
    const credential = readCredential(exchange.incoming.headers)
    if (!credential) {
      if (route.auth === 'optional') return
      throw this.#limited(exchange, notAuthenticated())
    }
    const { limiter, authenticator } = this.#deps
    const admit = () => {
      if (limiter.isSpent('failure', addressForLimits(exchange.address))) throw limiter.refusal('failure')
    }
    try {
      const identity = await authenticator.authenticate(credential, admit)
      const claimed = proxyUsername(exchange, this.#deps)
      if (claimed !== undefined) {
        const { username } = await this.#deps.auth.as(exchange.scopeOf(identity)).getSelf({})
        requireSameUser(claimed, username)
      }
      exchange.identity = identity
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'NOT_AUTHENTICATED') throw error
      const refusal = this.#limited(exchange, error)
      if (route.auth !== 'optional') throw refusal
    }
  }

  /** Whoever is not let in counts for their address. */
  #limited(exchange: Exchange, error: AppError): AppError {
    const { limiter } = this.#deps
    const state = limiter.take('failure', addressForLimits(exchange.address))
    return state && state.remaining < 0 ? limiter.refusal('failure') : error
  }

  #limit(exchange: Exchange, { limit }: Route): void {
    if (limit === 'none') return
    const who = exchange.identity?.caller.user_id ?? addressForLimits(exchange.address)
    exchange.rate = this.#deps.limiter.take(limit, who)
    if (exchange.rate && exchange.rate.remaining < 0) throw this.#deps.limiter.refusal(limit)
  }

  #options(exchange: Exchange, path: string): void {
    const { headers } = exchange.incoming
    if (exchange.origin !== undefined && headers['access-control-request-method'] !== undefined) {
      return send(exchange, 204, undefined, preflightHeaders)
    }
    const methods = this.#table.methodsOf(path)
    if (methods.length === 0 && path !== '*') throw routeNotFound()
    send(exchange, 204, undefined, { allow: methods.join(', ') })
  }

  #unmatched(exchange: Exchange, path: string): AppError {
    const methods = this.#table.methodsOf(path)
    if (methods.length === 0) return routeNotFound()
    exchange.outgoing.setHeader('allow', methods.join(', '))
    return new AppError('METHOD_NOT_ALLOWED', `This path takes ${methods.join(', ')}`)
  }

  #fail(exchange: Exchange, error: unknown, route: Route | undefined): void {
    const { logger } = this.#deps
    const failure = toAppError(error)
    const { correlationId: correlation_id, outgoing } = exchange
    if (failure.code === 'INTERNAL_ERROR' || failure.code === 'DATABASE_ERROR') {
      logger.error({ err: error, correlation_id, route: route?.path }, 'a request failed')
    }
    // Half an answer cannot become an error any more; a cut connection at least says that it is not whole.
    if (outgoing.headersSent) outgoing.destroy()
    else if (!outgoing.destroyed) sendError(exchange, failure)
  }

  #observe(exchange: Exchange, route: Route | undefined, started: number): void {
    const { outgoing, incoming } = exchange
    const ms = performance.now() - started
    const labels = { route: route?.path ?? UNKNOWN_ROUTE, method: route?.method ?? 'OTHER', status: String(outgoing.statusCode) }
    if (route?.media !== 'text/event-stream') metrics.httpRequestDuration.observe(labels, ms / 1_000)
    const { logger } = this.#deps
    if (!logger.isLevelEnabled('debug')) return
    const { correlationId: correlation_id } = exchange
    logger.debug(
      { ...labels, method: incoming.method, ms: Math.round(ms), correlation_id, user_id: exchange.identity?.caller.user_id },
      'request',
    )
  }
}

const routeNotFound = () =>
  new AppError('ROUTE_NOT_FOUND', 'There is nothing at this path; GET /openapi.json lists what there is')

function splitUrl(url: string): { path: string; search: string } {
  // A proxy's absolute form (RFC 9112 section 3.2.2) means its path here.
  const target = url.startsWith('/') || url === '*' ? url : url.replace(/^https?:\/\/[^/?#]*/i, '')
  const at = target.indexOf('?')
  const path = at === -1 ? target : target.slice(0, at)
  return { path: canonicalPath(path), search: at === -1 ? '' : target.slice(at + 1) }
}

function decodeParams(raw: Readonly<Record<string, string>>): Record<string, string> {
  const params: Record<string, string> = {}
  for (const [name, value] of Object.entries(raw)) {
    try {
      params[name] = requirePlainText(value.includes('%') ? decodeURIComponent(value) : value, name)
    } catch (cause) {
      if (cause instanceof AppError) throw cause
      throw new AppError('VALIDATION_ERROR', `The path is not valid: ${name} is not well encoded`, { cause })
    }
  }
  return params
}

const NO_QUERY = {}

/** Of a repeated name the first counts. */
function readQuery(search: string): Record<string, string> {
  if (search === '') return NO_QUERY
  const query: Record<string, string> = Object.create(null)
  for (const [name, value] of new URLSearchParams(search)) {
    requirePlainText(name, 'query')
    query[name] ??= requirePlainText(value, name)
  }
  return query
}

const NOTHING = {}

async function readJsonBody({ incoming }: Exchange, { body, bodyLimit }: Route): Promise<unknown> {
  if (body === undefined || body === 'multipart') return undefined
  const bytes = hasBody(incoming) ? await readBody(incoming, bodyLimit) : undefined
  if (!bytes || bytes.length === 0) return check(body, NOTHING, 'The body')
  requireJsonType(incoming.headers)
  return check(body, parseJson(bytes), 'The body')
}

function check(schema: Route['params'] | Exclude<Route['body'], string | undefined>, value: unknown, what: string): unknown {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  throw AppError.fromZod(parsed.error, what)
}
