import { AppError } from '@youworker/contracts/errors'
import { EVENT_STREAM } from '@youworker/contracts/topology/subjects'
import { type Consumer, ErrorCode, NatsError } from 'nats'
import type { NatsConnection } from '../connection/nats-connection.ts'
import { TransportError, unavailable } from '../connection/transport-error.ts'

/** One request to the JetStream API; those in flight when the connection is lost are only ended by it. */
export const API_MS = 2_000

/** When the stream was made, and the number of its last event. */
export async function readStream(nats: NatsConnection): Promise<{ created: string; last_seq: number }> {
  if (!nats.isUp) throw unavailable('The connection to NATS is lost; try again')
  try {
    const { streams } = await nats.core.jetstreamManager({ checkAPI: false, timeout: API_MS })
    const { created, state } = await streams.info(EVENT_STREAM.name)
    return { created, last_seq: state.last_seq }
  } catch (error) {
    throw jetStreamError(nats, error)
  }
}

/** The service's durable on the stream, as `youworker migrate` or `npm start` made it. */
export async function openConsumer(nats: NatsConnection, service: string): Promise<Consumer> {
  if (!nats.isUp) throw unavailable('The connection to NATS is lost; try again')
  try {
    return await nats.core.jetstream({ timeout: API_MS }).consumers.get(EVENT_STREAM.name, service)
  } catch (error) {
    throw jetStreamError(nats, error)
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
