import type { Server } from 'node:http'
import { ingestion } from '@youworker/contracts/ingestion'
import { GATEWAY_NEEDS, SERVICES } from '@youworker/contracts/topology/topology'
import { closeNats, connectNats, natsCheck } from '@youworker/messaging/connection/connect'
import { createEventPublisher, subscribeEvent } from '@youworker/messaging/events/events'
import { ReplicaReadiness } from '@youworker/messaging/live/readiness'
import { serveHealth } from '@youworker/messaging/requests/server'
import { createTokenVerifier } from '@youworker/messaging/tokens/token-verifier'
import { HttpListener } from '@youworker/runtime/http/http-listener'
import type { Logger } from '@youworker/runtime/logger'
import { Readiness } from '@youworker/runtime/health/readiness'
import type { Service, ServiceContext } from '@youworker/runtime/process/service'
import { connectVoice } from './audio/connect-voice.ts'
import { AuditReporter } from './audit-reporter.ts'
import { createAskHealth, createClients } from './clients.ts'
import type { Config } from './config.ts'
import { OpenAppends } from './files/open-appends.ts'
import type { UploadLimits } from './files/receive-upload.ts'
import { createApi } from './http/api.ts'
import { Dispatcher } from './http/dispatcher.ts'
import { createHttpServer } from './http/http-server.ts'
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
    stallMs: config.API__STALL_MS,
  } satisfies RequestSettings
}

const createGuards = (config: Config, { origins, proxies }: RequestSettings) => ({
  allowList: new AddressList(config.SECURITY__WHITELISTED_IPS),
  csrf: new Csrf(config.SECURITY__CSRF_SECRET, origins),
  identityProxies: config.SECURITY__AUTHENTIK_ENABLED ? proxies.list : new AddressList([]),
  limiter: new RateLimiter(config.SECURITY__RATE_LIMITS),
})

/** Composition root: the whole gateway, wired top to bottom. */
export async function startGateway(
  config: Config,
  { logger, metricsAt }: ServiceContext,
): Promise<Service & { readonly port: number }> {
  await using stack = new AsyncDisposableStack()
  const nats = stack.adopt(await connectNats({ url: config.NATS__URL, service: 'gateway', logger }), closeNats)
  const verifier = stack.use(await createTokenVerifier(nats, { logger }))
  const clients = createClients(nats)
  const replicas = stack.use(new ReplicaReadiness(nats, SERVICES, GATEWAY_NEEDS))
  const readiness = stack.use(new Readiness({ nats: natsCheck(nats), keys: () => verifier.check() }, replicas))
  const { voice, check: audio } = connectVoice(stack, config, logger)
  stack.use(await serveHealth(nats, 'gateway', readiness, { logger, metricsAt, more: { audio } }))

  const settings = requestSettings(config, logger)
  const { proxies, devices } = settings

  const authenticator = stack.use(new Authenticator(clients.auth, verifier))
  const audit = new AuditReporter(createEventPublisher(nats, { logger }), { logger })
  const guards = { ...createGuards(config, settings), audit, authenticator }

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
    replicas,
    devices,
    ingestionWatcher: new IngestionWatcher({ ...clients, authenticator, finishes }),
    openAppends: new OpenAppends(),
    opsPeers: new AddressList(config.SECURITY__OPS_PEERS),
    proxies,
    uploadLimits: uploadLimits(config),
    runStreams: new RunStreams({ sourceOf, streams, logger }),
    secureCookies: config.APP_ENV === 'production',
    streams,
    voice,
  })
  const api = createApi({ ...guards, routes, dispatcher: new Dispatcher({ ...clients, ...guards }), logger })
  const sockets = new SocketServer({ ...clients, ...guards, sourceOf, streams, voice, logger }, settings)
  const server = createHttpServer({ api, sockets, settings, logger })
  const listener = await openDoor(stack, { server, sockets, streams, logger }, config)
  const running = stack.move()
  const drain = async () => {
    streams.move()
    await listener.drain()
  }
  return { readiness, port: listener.address.port, drain, [Symbol.asyncDispose]: () => running.disposeAsync() }
}

interface Door {
  readonly logger: Logger
  readonly server: Server
  readonly sockets: SocketServer
  readonly streams: OpenStreams
}

async function openDoor(
  stack: AsyncDisposableStack,
  { server, sockets, streams, logger }: Door,
  config: Config,
): Promise<HttpListener> {
  const { API__HOST: host, API__PORT: port, CONNECTIONS__FROM: from } = config
  const listener = await HttpListener.open(server, { host, port, from, name: 'gateway' })
  const { address, port: given } = listener.address
  logger.info({ host: address, port: given }, 'the API listens')
  stack.defer(async () => {
    const closed = listener.close(Math.max(500, config.SHUTDOWN__GRACE_MS / 2 - 500))
    streams.stop()
    await sockets.close()
    await closed
  })
  return listener
}

const uploadLimits = (config: Config): UploadLimits => ({
  maxBytes: config.INGEST__MAX_FILE_MB * 1024 * 1024,
  leastRate: { bytesPerSecond: config.API__MIN_UPLOAD_RATE },
})
