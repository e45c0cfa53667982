import { setTimeout as sleep } from 'node:timers/promises'
import { AppError } from '@youworker/contracts/errors'
import type { ServiceName } from '@youworker/contracts/topology/topology'
import type { Logger } from '@youworker/runtime/logger'
import type { HealthCheck } from '@youworker/runtime/health/health-report'
import { settledWithin } from '@youworker/runtime/timing/settled-within'
import { connect, ErrorCode, NatsError } from 'nats'
import { NatsConnection } from './nats-connection.ts'
import { readUrl } from './read-url.ts'

export type { NatsConnection }

/** How long a starting process waits for a NATS that does not answer yet. */
const FIRST_CONNECT_MS = 15_000
const DIAL_MS = 5_000
const CLOSE_MS = 2_000

interface ConnectOptions {
  /** User and password in it; several servers of one cluster separated by commas. */
  readonly url: string
  readonly service: ServiceName | (string & {})
  readonly logger: Logger
}

/**
 * Waits at most 15 s for a server that is still starting. After that, lost connections are re-established in the background
 * without limit.
 */
export async function connectNats({ url, service, logger }: ConnectOptions): Promise<NatsConnection> {
  const { servers, where, credentials } = readUrl(url)
  const until = Date.now() + FIRST_CONNECT_MS
  for (;;) {
    try {
      const core = await connect({
        servers,
        ...credentials,
        name: service,
        inboxPrefix: `_INBOX.${service}`,
        maxReconnectAttempts: -1,
        reconnectTimeWait: 250,
        reconnectJitter: 250,
        ignoreAuthErrorAbort: true,
        timeout: DIAL_MS,
        pingInterval: 5_000,
        noAsyncTraces: true,
      })
      return watched(new NatsConnection({ core, service, where, logger }))
    } catch (cause) {
      if (isRefusedLogin(cause)) {
        const message = `NATS at ${where} refused the user of the ${service} service; check user and password in NATS__URL`
        throw new AppError('SERVICE_UNAVAILABLE', message, { cause })
      }
      if (Date.now() >= until) {
        const message = `NATS at ${where} did not answer in ${FIRST_CONNECT_MS / 1_000} s; start it or correct NATS__URL`
        throw new AppError('SERVICE_UNAVAILABLE', message, { cause })
      }
      await sleep(250)
    }
  }
}

/** Pings of the library end a silent connection after 15 s; a half-open one may answer pings and nothing else. */
const SELF_CHECK_MS = 5_000

function watched(nats: NatsConnection): NatsConnection {
  const timer = setInterval(() => void nats.replaceIfSilent().catch(() => {}), SELF_CHECK_MS)
  timer.unref()
  void nats.core.closed().finally(() => clearInterval(timer))
  return nats
}

/** Sends what is still buffered, then closes. Dispose servers and consumers first. */
export async function closeNats(nats: NatsConnection): Promise<void> {
  nats.closing = true
  if (nats.core.isClosed()) return
  nats.sends.flush()
  if (nats.isUp) await settledWithin(CLOSE_MS, nats.core.drain())
  await settledWithin(CLOSE_MS, nats.core.close())
}

export const natsCheck =
  (nats: NatsConnection): HealthCheck =>
  () =>
    nats.check()

/** Calls `listener` after each reconnect; an error it throws is logged. */
export const onReconnect = (nats: NatsConnection, listener: () => void): Disposable => nats.onReconnect(listener)

const isRefusedLogin = (error: unknown): boolean =>
  error instanceof NatsError && (error.code === ErrorCode.AuthorizationViolation || error.code === ErrorCode.BadAuthentication)
