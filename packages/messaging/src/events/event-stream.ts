import { AppError } from '@youworker/contracts/errors'
import { EVENT_STREAM, JETSTREAM_API } from '@youworker/contracts/topology/subjects'
import { type Consumer, ErrorCode, NatsError } from 'nats'
import type { NatsConnection } from '../connection/nats-connection.ts'
import { TransportError, unavailable } from '../connection/transport-error.ts'

/** One request to the JetStream API; those in flight when the connection is lost are only ended by it. */
export const API_MS = 2_000

/** When the stream was made, and the number of its last event. */
export async function readStream(nats: NatsConnection): Promise<{ created: string; last_seq: number }> {
  if (!nats.isUp) throw unavailable('The connection to NATS is lost; try again')
  try {
    return await withApi(nats, async (apiPrefix) => {
      const { streams } = await nats.core.jetstreamManager({ checkAPI: false, timeout: API_MS, apiPrefix })
      const { created, state } = await streams.info(EVENT_STREAM.name)
      return { created, last_seq: state.last_seq }
    })
  } catch (error) {
    throw jetStreamError(nats, error)
  }
}

/** The service's durable on the stream, as `youworker migrate` or `npm start` made it. */
export async function openConsumer(nats: NatsConnection, service: string): Promise<Consumer> {
  if (!nats.isUp) throw unavailable('The connection to NATS is lost; try again')
  try {
    return await withApi(nats, (apiPrefix) =>
      nats.core.jetstream({ timeout: API_MS, apiPrefix }).consumers.get(EVENT_STREAM.name, service),
    )
  } catch (error) {
    throw jetStreamError(nats, error)
  }
}

const apiPrefixes = new WeakMap<NatsConnection, string>()

/** With our configuration the stream is in another account than the services; a server of one's own may have only one account. */
async function withApi<T>(nats: NatsConnection, ask: (apiPrefix: string) => Promise<T>): Promise<T> {
  const known = apiPrefixes.get(nats)
  if (known !== undefined) return ask(known)
  const found = async (prefix: string) => {
    const answer = await ask(prefix)
    apiPrefixes.set(nats, prefix)
    return answer
  }
  try {
    return await found(JETSTREAM_API.imported)
  } catch (error) {
    if (!(error instanceof NatsError) || error.code !== ErrorCode.NoResponders) throw error
    return found(JETSTREAM_API.own)
  }
}

/** Error codes of nats-server's JetStream API. */
export const STREAM_NOT_FOUND = 10_059
export const CONSUMER_NOT_FOUND = 10_014

export const isApiError = (error: unknown, ...codes: readonly number[]): boolean =>
  error instanceof NatsError && error.api_error !== undefined && codes.some((code) => code === error.api_error?.err_code)

export function jetStreamError({ where }: NatsConnection, cause: unknown): AppError {
  if (cause instanceof AppError) return cause
  if (isApiError(cause, STREAM_NOT_FOUND, CONSUMER_NOT_FOUND)) {
    const message = `NATS at ${where} has no event stream; make it with: npm run youworker -- migrate`
    return new TransportError('lost', 'SERVICE_UNAVAILABLE', message, { cause, retryAfter: 1 })
  }
  const why = cause instanceof Error ? cause.message : String(cause)
  const isRefused = cause instanceof NatsError && cause.code === ErrorCode.PermissionsViolation
  const message = `JetStream on NATS at ${where} is not usable (${why}); it has to be enabled and permitted`
  return new TransportError(isRefused ? 'refused' : 'lost', 'SERVICE_UNAVAILABLE', message, { cause, retryAfter: 1 })
}
