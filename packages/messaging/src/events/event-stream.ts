import { AppError } from '@youworker/contracts/errors'
import { EVENT_STREAM } from '@youworker/contracts/topology/subjects'
import type { Consumer } from 'nats'
import { AckPolicy, DeliverPolicy, ErrorCode, NatsError, nanos, RetentionPolicy, StorageType } from 'nats'
import type { NatsConnection } from '../connection/connect.ts'
import { TransportError, unavailable } from '../connection/transport-error.ts'

const DAY_MS = 86_400_000
const MAX_AGE_MS = 7 * DAY_MS
const DUPLICATE_WINDOW_MS = 120_000
const ACK_WAIT_MS = 30_000
/** Timeout of one JetStream API request. Requests in flight when the connection is lost end only by this timeout. */
const API_MS = 2_000
/** Error codes of nats-server's JetStream API. */
const STREAM_NOT_FOUND = 10_059
const CONSUMER_NOT_FOUND = 10_014

/** Returns when the stream was created and the number of its last event. Creates the stream when it is missing. */
export async function ensureStream(nats: NatsConnection): Promise<{ created: string; last_seq: number }> {
  if (!nats.isUp) throw unavailable('The connection to NATS is lost; try again')
  try {
    const { streams } = await nats.core.jetstreamManager({ checkAPI: false, timeout: API_MS })
    const { created, state } = await orWhenMissing(streams.info(EVENT_STREAM.name), STREAM_NOT_FOUND, () =>
      streams.add({
        name: EVENT_STREAM.name,
        subjects: [...EVENT_STREAM.subjects],
        storage: StorageType.File,
        retention: RetentionPolicy.Limits,
        max_age: nanos(MAX_AGE_MS),
        duplicate_window: nanos(DUPLICATE_WINDOW_MS),
        num_replicas: 1,
      }),
    )
    return { created, last_seq: state.last_seq }
  } catch (error) {
    throw jetStreamError(nats, error)
  }
}

/**
 * Returns the service's durable consumer; creates it and the stream when missing. It has no subject filter, the service selects
 * instead: nats-server 2.9.10 silently skips events when a filter is changed later.
 */
export async function ensureConsumer(nats: NatsConnection, service: string): Promise<Consumer> {
  await ensureStream(nats)
  try {
    const { consumers } = await nats.core.jetstreamManager({ checkAPI: false, timeout: API_MS })
    await orWhenMissing(consumers.info(EVENT_STREAM.name, service), CONSUMER_NOT_FOUND, () =>
      consumers.add(EVENT_STREAM.name, {
        durable_name: service,
        ack_policy: AckPolicy.Explicit,
        ack_wait: nanos(ACK_WAIT_MS),
        deliver_policy: DeliverPolicy.All,
        // EventConsumer counts deliveries: past a limit of its own the server would silently stop delivering the event.
        max_deliver: -1,
      }),
    )
    return await nats.core.jetstream({ timeout: API_MS }).consumers.get(EVENT_STREAM.name, service)
  } catch (error) {
    throw jetStreamError(nats, error)
  }
}

async function orWhenMissing<T>(found: Promise<T>, code: number, make: () => Promise<T>): Promise<T> {
  try {
    return await found
  } catch (error) {
    if (error instanceof NatsError && error.api_error?.err_code === code) return make()
    throw error
  }
}

export function jetStreamError({ where }: NatsConnection, cause: unknown): AppError {
  if (cause instanceof AppError) return cause
  const why = cause instanceof Error ? cause.message : String(cause)
  const isRefused = cause instanceof NatsError && cause.code === ErrorCode.PermissionsViolation
  const message = `JetStream on NATS at ${where} is not usable (${why}); it has to be enabled and permitted`
  return new TransportError(isRefused ? 'refused' : 'lost', 'SERVICE_UNAVAILABLE', message, { cause, retryAfter: 1 })
}
