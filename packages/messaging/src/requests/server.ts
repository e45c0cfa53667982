import type { Contract, HandlerInput, HandlerOutput, Request, RequestNames } from '@youworker/contracts/define'
import { requestsOf } from '@youworker/contracts/define'
import { AppError } from '@youworker/contracts/errors'
import { healthContract } from '@youworker/contracts/health'
import { type HealthCheck, reportHealth } from '@youworker/runtime/health/health-report'
import type { Readiness } from '@youworker/runtime/health/readiness'
import type { Logger } from '@youworker/runtime/logger'
import { GRACE_MS, settledWithin } from '@youworker/runtime/timing/settled-within'
import type { Service } from 'nats'
import type { NatsConnection } from '../connection/connect.ts'
import type { CallContext, Caller, UserContext } from './context.ts'
import { describeError } from '@youworker/runtime/describe-error'
import type { Denial } from './denial.ts'
import { Endpoint } from './endpoint.ts'
import { announceReadiness } from '../live/readiness.ts'
import type { TokenVerifier } from '../tokens/token-verifier.ts'

export type { CallContext, Caller, UserContext }

/** One function per request of a contract. */
export type Handlers<C extends Contract> = {
  readonly [K in RequestNames<C>]: (
    input: HandlerInput<C[K]>,
    context: C[K] extends { readonly auth: 'user' } ? UserContext : CallContext,
  ) => Promise<HandlerOutput<C[K]>>
}

interface ServeOptions {
  /** Also the queue group, so that replicas share the requests. */
  readonly service: string
  /** May only be missing when no request of the contract has `auth: 'user'`. */
  readonly verifier?: TokenVerifier | undefined
  readonly logger: Logger
  /** Requests beyond it get `SERVICE_UNAVAILABLE` at once. */
  readonly maxInFlight?: number
  /** Called when a user asks by id for something that is not theirs. Must not throw. */
  readonly onDenied?: (denial: Denial, context: CallContext) => void
}

const MAX_IN_FLIGHT = 256
const HEALTH_CHECK_MS = 1_500

/**
 * Serves every request of a contract until disposed; disposing stops taking requests, then waits for the running ones. Rejects
 * when NATS refuses a subject, and names it.
 */
export async function serve<C extends Contract>(
  nats: NatsConnection,
  contract: C,
  handlers: Handlers<C>,
  { service: name, verifier, logger, maxInFlight = MAX_IN_FLIGHT, onDenied }: ServeOptions,
): Promise<AsyncDisposable> {
  const load = { inFlight: 0, maxInFlight, idle: () => {} }
  const requests = requestsOf(contract)
  const needsVerifier = requests.find(([, { auth }]) => auth === 'user')
  if (needsVerifier && !verifier) throw new Error(`${needsVerifier[1].subject} needs a token verifier`)
  const service = await nats.core.services.add({ name, version: '1.0.0', queue: name, description: `requests of ${name}` })
  for (const [method, request] of requests) {
    const handle = handlers[method as RequestNames<C>] as (input: unknown, context: CallContext) => Promise<unknown>
    const endpoint = new Endpoint({
      request,
      handle: (input, context) => handle(input, context),
      verifier,
      logger,
      load,
      sends: nats.sends,
      service: name,
      onDenied,
    })
    service.addEndpoint(method, { subject: request.subject, handler: (_, message) => endpoint.receive(message) })
  }
  await untilAccepted(nats, service, requests)
  void service.stopped.then((reason) => onServiceStopped(nats, reason, logger))
  return { [Symbol.asyncDispose]: () => stop(nats, service, load) }
}

interface HealthOptions {
  readonly logger: Logger
  /** `host:port` of the process's /metrics. */
  readonly metricsAt?: string | undefined
  /** Checks of what the service can do without. */
  readonly more?: Readonly<Record<string, HealthCheck>>
}

/** Serves the health request of a service, whose checks then run anew and in parallel, and announces whether it is ready. */
export async function serveHealth(
  nats: NatsConnection,
  service: string,
  readiness: Readiness,
  { logger, metricsAt, more = {} }: HealthOptions,
): Promise<AsyncDisposable> {
  const checks = { ...readiness.checks, ...more }
  const checkHealth = async () => ({ components: await reportHealth(checks, HEALTH_CHECK_MS) })
  await using stack = new AsyncDisposableStack()
  stack.use(await serve(nats, healthContract(service), { checkHealth }, { service, logger, maxInFlight: 16 }))
  stack.use(announceReadiness(nats, service, { readiness, metricsAt }))
  return stack.move()
}

/** NATS reports a refused subscription before the reply to the flush; the library then stops the whole service. */
async function untilAccepted(nats: NatsConnection, service: Service, requests: [string, Request][]): Promise<void> {
  const failure = (cause: unknown) => {
    const what = cause instanceof Error && 'permissionContext' in cause ? cause.message : 'the connection was lost'
    const subjects = `${requests.length} subjects from ${requests[0]?.[1].subject ?? 'none'}`
    return new AppError('SERVICE_UNAVAILABLE', `NATS does not let ${service.info().name} serve ${subjects}: ${what}`, { cause })
  }
  await nats.core.flush().catch((cause: unknown) => {
    void service.stop()
    throw failure(cause)
  })
  if (service.isStopped) throw failure(await service.stopped)
}

/**
 * A subscription can be refused later too, when permissions change before a reconnect. This ends the process, because a service
 * must not keep running with some of its subjects missing.
 */
function onServiceStopped(nats: NatsConnection, reason: Error | null, logger: Logger): void {
  if (!reason || nats.closing || nats.core.isClosed() || nats.core.isDraining()) return
  logger.fatal({ error: describeError(reason) }, 'NATS ended a service')
  queueMicrotask(() => {
    throw new AppError('SERVICE_UNAVAILABLE', `NATS ended a service: ${reason.message}`, { cause: reason })
  })
}

async function stop(nats: NatsConnection, service: Service, load: { inFlight: number; idle: () => void }): Promise<void> {
  const stopped = service.stop()
  if (nats.isUp) await settledWithin(2_000, stopped)
  if (load.inFlight === 0) return
  const idle = Promise.withResolvers<void>()
  load.idle = idle.resolve
  await settledWithin(GRACE_MS, idle.promise)
}
