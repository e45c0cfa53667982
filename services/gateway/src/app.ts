import { ingestion } from '@youworker/contracts/ingestion'
import { GATEWAY_NEEDS } from '@youworker/contracts/topology/topology'
import { closeNats, connectNats, natsCheck } from '@youworker/messaging/connection/connect'
import { HeardReadiness } from '@youworker/messaging/live/readiness'
import { subscribeEvent } from '@youworker/messaging/events/events'
import { serveHealth } from '@youworker/messaging/requests/server'
import { createTokenVerifier } from '@youworker/messaging/tokens/token-verifier'
import type { Logger } from '@youworker/runtime/logger'
import { Readiness } from '@youworker/runtime/health/readiness'
import type { Service, ServiceContext } from '@youworker/runtime/process/service'
import { createAskHealth, createClients } from './clients.ts'
import type { Config } from './config.ts'
import { createApi } from './http/api.ts'
import { Dispatcher } from './http/dispatcher.ts'
import { closeServer, createHttpServer, listen } from './http/http-server.ts'
import { Authenticator } from './http/guards/authenticate.ts'
import { AddressList } from './http/guards/client-address.ts'
import { Csrf } from './http/guards/csrf.ts'
import { KnownDevices } from './http/guards/known-device.ts'
import { RateLimiter } from './http/guards/rate-limit.ts'
import { TrustedProxies } from './http/guards/trusted-proxies.ts'
import type { RequestSettings } from './http/request-context.ts'
import { securityHeaders } from './http/security-headers.ts'
import { createRoutes } from './routes/routes.ts'
import { createEntrySources } from './streams/entry-source.ts'
import { IngestionWatcher } from './streams/ingestion-watcher.ts'
import { OpenStreams } from './streams/open-streams.ts'
import { RunFinishes } from './streams/run-finishes.ts'
import { RunStreams } from './streams/run-streams.ts'
import { SocketServer } from './web-socket/socket-server.ts'

function requestSettings(config: Config, logger: Logger) {
  const isProduction = config.APP_ENV === 'production'
  const proxies = new TrustedProxies(config.SECURITY__TRUSTED_PROXIES, logger)
  if (isProduction) proxies.warnWhenNone()
  return {
    securityHeaders: securityHeaders(isProduction),
    origins: new Set(config.FRONTEND_ORIGIN),
    proxies,
    devices: new KnownDevices(config.SECURITY__CSRF_SECRET),
    deadlineMs: config.API__DEADLINE_MS,
  } satisfies RequestSettings
}

/** Composition root: the whole gateway, wired top to bottom. */
export async function startGateway(config: Config, { logger }: ServiceContext): Promise<Service & { readonly port: number }> {
  await using stack = new AsyncDisposableStack()
  const nats = stack.adopt(await connectNats({ url: config.NATS__URL, service: 'gateway', logger }), closeNats)
  const verifier = stack.use(await createTokenVerifier(nats, { logger }))
  const clients = createClients(nats)
  const neighbours = stack.use(new HeardReadiness(nats, GATEWAY_NEEDS))
  const readiness = stack.use(new Readiness({ nats: natsCheck(nats), keys: () => verifier.check() }, neighbours))
  stack.use(await serveHealth(nats, 'gateway', readiness, { logger }))

  const isProduction = config.APP_ENV === 'production'
  const settings = requestSettings(config, logger)
  const { origins, proxies, devices } = settings

  const authenticator = stack.use(new Authenticator(clients.auth, verifier))
  const guards = {
    allowList: new AddressList(config.SECURITY__WHITELISTED_IPS),
    authenticator,
    csrf: new Csrf(config.SECURITY__CSRF_SECRET, origins),
    identityProxies: config.SECURITY__AUTHENTIK_ENABLED ? proxies.list : new AddressList([]),
    limiter: new RateLimiter(config.SECURITY__RATE_LIMITS),
  }

  const streams = new OpenStreams()
  const finishes = new RunFinishes()
  const sourceOf = createEntrySources({ ...clients, authenticator, nats })
  stack.use(verifier.onRevoked((revocation) => streams.revoke(revocation)))
  stack.use(subscribeEvent(nats, ingestion.runFinished, ({ run_id }) => finishes.finished(run_id)))

  const routes = createRoutes({
    ...clients,
    ...guards,
    askHealth: createAskHealth(nats),
    readiness,
    devices,
    ingestionWatcher: new IngestionWatcher({ ...clients, authenticator, finishes }),
    maxFileBytes: config.INGEST__MAX_FILE_MB * 1024 * 1024,
    proxies,
    runStreams: new RunStreams({ sourceOf, streams, logger }),
    secureCookies: isProduction,
    streams,
  })
  const api = createApi({ routes, dispatcher: new Dispatcher({ ...clients, ...guards }), logger })
  const sockets = new SocketServer({ ...clients, ...guards, sourceOf, streams, logger }, settings)
  const server = createHttpServer({ api, sockets, settings })
  const port = await listen(server, config.API__HOST, config.API__PORT)
  stack.defer(async () => {
    const closed = closeServer(server, Math.max(500, config.SHUTDOWN__GRACE_MS - 1_000))
    streams.stop()
    await sockets.close()
    await closed
  })
  logger.info({ host: config.API__HOST, port }, 'the API listens')

  const running = stack.move()
  return { readiness, port, [Symbol.asyncDispose]: () => running.disposeAsync() }
}
