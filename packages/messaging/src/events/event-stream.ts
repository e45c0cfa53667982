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
/** One request to the JetStream API; those in flight when the connection is lost are only ended by it. */
const API_MS = 2_000
/** Error codes of nats-server's JetStream API. */
const STREAM_NOT_FOUND = 10_059
const CONSUMER_NOT_FOUND = 10_014

/** When the stream was made, and the number of its last event. The stream is made first when there is none. */
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
 * The service's durable on the stream; both are made when missing. It reads all events and the service selects: a filter
 * changed later makes nats-server 2.9.10 skip events without a word.
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
        // Deliveries are counted in code: past a limit of its own the server would let an event lie without a word.
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
