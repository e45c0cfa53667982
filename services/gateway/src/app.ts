import { analytics } from '@youworker/contracts/analytics'
import { auth } from '@youworker/contracts/auth'
import { chatAgent } from '@youworker/contracts/chat-agent'
import { group } from '@youworker/contracts/group'
import { healthContract } from '@youworker/contracts/health'
import { ingestion } from '@youworker/contracts/ingestion'
import { SERVICES } from '@youworker/contracts/topology/topology'
import { createClient } from '@youworker/messaging/requests/client'
import { closeNats, connectNats, type NatsConnection, natsCheck } from '@youworker/messaging/connection/connect'
import { subscribeEvent } from '@youworker/messaging/events/events'
import { serveHealth } from '@youworker/messaging/requests/server'
import { createTokenVerifier, type TokenVerifier } from '@youworker/messaging/tokens/token-verifier'
import type { Logger } from '@youworker/runtime/logger'
import type { Service, ServiceContext } from '@youworker/runtime/service'
import { createApi } from './http/api.ts'
import type { Config } from './config.ts'
import type { Deps } from './http/deps.ts'
import { closeServer, createHttpServer, listen } from './http/http-server.ts'
import { Authenticator } from './http/guards/authenticate.ts'
import { AddressList } from './http/guards/client-address.ts'
import { Csrf } from './http/guards/csrf.ts'
import { RateLimiter } from './http/guards/rate-limit.ts'
import { securityHeaders } from './http/security-headers.ts'
import { OpenStreams } from './streams/open-streams.ts'
import { ROUTES } from './routes/routes.ts'
import { RunFinishes } from './streams/run-finishes.ts'
import { SocketServer } from './web-socket/socket-server.ts'

function createDeps(config: Config, nats: NatsConnection, verifier: TokenVerifier, logger: Logger): Deps {
  const origins = new Set(config.FRONTEND_ORIGIN)
  const authClient = createClient(nats, auth)
  const health = new Map(SERVICES.map((service) => [service, createClient(nats, healthContract(service))]))
  const checks = {
    nats: natsCheck(nats),
    keys: () => verifier.check(),
  }
  return {
    config,
    logger,
    nats,
    auth: authClient,
    group: createClient(nats, group),
    chatAgent: createClient(nats, chatAgent),
    ingestion: createClient(nats, ingestion),
    analytics: createClient(nats, analytics),
    askHealth: async (service) => (await health.get(service)?.checkHealth({}))?.components ?? [],
    checks,
    authenticator: new Authenticator(authClient, verifier),
    csrf: new Csrf(config.SECURITY__CSRF_SECRET, origins),
    limiter: new RateLimiter(config.SECURITY__RATE_LIMITS),
    streams: new OpenStreams(),
    finishes: new RunFinishes(),
    origins,
    proxies: new AddressList(config.SECURITY__TRUSTED_PROXIES),
    allowList: new AddressList(config.SECURITY__WHITELISTED_IPS),
    isProduction: config.APP_ENV === 'production',
  }
}

/** Composition root: the whole gateway, wired top to bottom. */
export async function startGateway(config: Config, { logger }: ServiceContext): Promise<Service & { readonly port: number }> {
  await using stack = new AsyncDisposableStack()
  const nats = stack.adopt(await connectNats({ url: config.NATS__URL, service: 'gateway', logger }), closeNats)
  const verifier = stack.use(await createTokenVerifier(nats, { logger }))
  const deps = createDeps(config, nats, verifier, logger)
  stack.use(deps.authenticator)
  stack.use(verifier.onRevoked((revocation) => deps.streams.revoke(revocation)))
  stack.use(subscribeEvent(nats, ingestion.runFinished, ({ run_id }) => deps.finishes.finished(run_id)))
  stack.use(await serveHealth(nats, 'gateway', deps.checks, { logger }))

  const { origins, proxies, isProduction } = deps
  const settings = { securityHeaders: securityHeaders(isProduction), origins, proxies }
  const sockets = new SocketServer(deps, settings)
  const server = createHttpServer({ api: createApi(deps, ROUTES), sockets, settings })
  const port = await listen(server, config.API__HOST, config.API__PORT)
  stack.defer(async () => {
    const closed = closeServer(server, Math.max(500, config.SHUTDOWN__GRACE_MS - 1_000))
    deps.streams.stop()
    await sockets.close()
    await closed
  })
  logger.info({ host: config.API__HOST, port }, 'the API listens')

  const running = stack.move()
  return { checks: deps.checks, port, [Symbol.asyncDispose]: () => running.disposeAsync() }
}
