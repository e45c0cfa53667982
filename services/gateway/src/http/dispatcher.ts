import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import { AppError } from '@youworker/contracts/errors'
import { adviceFor } from '@youworker/messaging/requests/advice'
import type { HonoRequest } from 'hono'
import type { AuditReporter } from '../audit-reporter.ts'
import type { Clients } from '../clients.ts'
import { Compressor } from './answers/compressor.ts'
import type { Route } from './define-route.ts'
import type { RequestContext } from './request-context.ts'
import { type Authenticator, notAuthenticated, readCredential } from './guards/authenticate.ts'
import { proxyUsername, requireSameUser } from './guards/authentik.ts'
import type { AddressList } from './guards/client-address.ts'
import type { Csrf } from './guards/csrf.ts'
import type { RateLimiter } from './guards/rate-limit.ts'
import { requireOpen, type ScopeAudit } from './guards/scope.ts'
import { parseJson, requireJsonType, requirePlainText } from './parse-json.ts'
import { hasBody, readBody } from './read-body.ts'
import { Reply, SENT } from './answers/reply.ts'
import { sendAnswer } from './answers/send-answer.ts'

interface Guards extends Pick<Clients, 'auth'> {
  readonly audit: Pick<AuditReporter, 'refusedCredential'> & ScopeAudit
  readonly authenticator: Authenticator
  readonly csrf: Csrf
  readonly identityProxies: AddressList
  readonly limiter: RateLimiter
}

/** Serves a matched request of a listed address: credential, scope, CSRF, limit, input, handler, in this order for every route. */
export class Dispatcher {
  readonly #guards: Guards
  readonly #compressor = new Compressor()

  constructor(guards: Guards) {
    this.#guards = guards
  }

  async serve(context: RequestContext, route: Route, request: HonoRequest): Promise<Response> {
    const key = context.incoming.headers['idempotency-key']
    const advice = adviceFor({ repeatable: route.csrf === 'none' }, typeof key === 'string' ? key : undefined)
    const answer = await context.deadline.within(() => this.#answer(context, route, request), advice)
    const reply = answer instanceof Reply ? answer : new Reply(route.status, answer)
    if (reply !== SENT) await sendAnswer(context, route, reply, this.#compressor)
    return RESPONSE_ALREADY_SENT
  }

  async #answer(context: RequestContext, route: Route, request: HonoRequest): Promise<unknown> {
    if (route.auth !== 'none') await this.#authenticate(context, route)
    const { identity, incoming } = context
    if (identity) requireOpen(`${route.method} ${route.path}`, route.scopes, context, this.#guards.audit)
    if (route.csrf !== 'none' && identity?.credential.kind === 'session') {
      this.#guards.csrf.require(incoming.headers, identity.caller.sid, route.csrf)
    }
    this.#limit(context, route)
    const params = check(route.params, readParams(request), 'The path')
    const query = check(route.query, readQuery(request), 'The query')
    const body = await readJsonBody(context, route)
    return route.handle({ params, query, body, context })
  }

  async #authenticate(context: RequestContext, route: Route): Promise<void> {
    const credential = readCredential(context.incoming.headers)
    if (!credential) {
      if (route.auth === 'optional') return
      throw this.#countFailure(context, notAuthenticated())
    }
    const { audit, auth, authenticator, identityProxies, limiter } = this.#guards
    const admit = () => {
      if (limiter.isSpent('failure', context.limitKey)) throw limiter.refusal('failure')
    }
    try {
      const identity = await authenticator.authenticate(credential, admit)
      const claimed = proxyUsername(context, identityProxies)
      if (claimed !== undefined) {
        const { username } = await auth.as(context.scopeOf(identity)).getSelf({})
        requireSameUser(claimed, username)
      }
      context.identity = identity
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'NOT_AUTHENTICATED') throw error
      audit.refusedCredential(credential.kind, context)
      const refusal = this.#countFailure(context, error)
      if (route.auth !== 'optional') throw refusal
    }
  }

  /** A refused credential counts against the client; beyond the limit the refusal becomes a 429. */
  #countFailure(context: RequestContext, error: AppError): AppError {
    const { limiter } = this.#guards
    const state = limiter.take('failure', context.limitKey)
    return state && state.remaining < 0 ? limiter.refusal('failure') : error
  }

  #limit(context: RequestContext, { limit }: Route): void {
    if (limit === 'none') return
    const who = context.identity?.caller.user_id ?? context.limitKey
    context.rate = this.#guards.limiter.take(limit, who)
    if (context.rate && context.rate.remaining < 0) throw this.#guards.limiter.refusal(limit)
  }
}

function readParams(request: HonoRequest): Record<string, string> {
  if (request.path.includes('%')) requireWellEncoded(request.path)
  const params: Record<string, string> = request.param()
  for (const name in params) requirePlainText(params[name] ?? '', name)
  return params
}

/** Hono passes on undecoded what it cannot decode. */
function requireWellEncoded(path: string): void {
  try {
    decodeURIComponent(path)
  } catch (cause) {
    throw new AppError('VALIDATION_ERROR', 'The path is not well encoded', { cause })
  }
}

/** The first value of a repeated name counts. */
function readQuery(request: HonoRequest): Record<string, string> {
  const query = request.query()
  for (const [name, value] of Object.entries(query)) {
    requirePlainText(name, 'query')
    requirePlainText(value, name)
  }
  return query
}

/** Stands for a missing body. */
const EMPTY_BODY = {}

async function readJsonBody(context: RequestContext, { body, bodyLimit }: Route): Promise<unknown> {
  const { incoming, deadline } = context
  if (body === undefined) return undefined
  if (hasBody(incoming)) deadline.pauseWhileReceiving(incoming)
  if (body === 'multipart' || body === 'bytes') return undefined
  const bytes = hasBody(incoming) ? await readBody(incoming, bodyLimit) : undefined
  if (!bytes || bytes.length === 0) return check(body, EMPTY_BODY, 'The body')
  context.bodyBytes = bytes.length
  requireJsonType(incoming.headers)
  return check(body, parseJson(bytes), 'The body')
}

function check(schema: Route['params'] | Exclude<Route['body'], string | undefined>, value: unknown, what: string): unknown {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  throw AppError.fromZod(parsed.error, what)
}
