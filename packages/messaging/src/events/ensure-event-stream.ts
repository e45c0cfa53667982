import { EVENT_STREAM, NATS_ADMIN } from '@youworker/contracts/topology/subjects'
import { NEIGHBOURS, SERVICES, type ServiceName } from '@youworker/contracts/topology/topology'
import type { Logger } from '@youworker/runtime/logger'
import { retry } from '@youworker/runtime/timing/retry'
import {
  AckPolicy,
  type ConsumerConfig,
  type ConsumerInfo,
  DeliverPolicy,
  type JetStreamManager,
  nanos,
  RetentionPolicy,
  StorageType,
} from 'nats'
import { closeNats, connectNats, type NatsConnection } from '../connection/connect.ts'
import { isLost } from '../connection/transport-error.ts'
import { API_MS, CONSUMER_NOT_FOUND, isApiError, jetStreamError, STREAM_NOT_FOUND } from './event-stream.ts'

const DAY_MS = 86_400_000
const STREAM = {
  name: EVENT_STREAM.name,
  subjects: [...EVENT_STREAM.subjects],
  storage: StorageType.File,
  retention: RetentionPolicy.Limits,
  max_age: nanos(7 * DAY_MS),
  duplicate_window: nanos(120_000),
  num_replicas: 1,
}
const ACK_WAIT_MS = 30_000

interface Options {
  /** Of a user who may make streams: the administrator. */
  readonly url: string
  readonly logger: Logger
}

/**
 * Makes the stream of events and the durable of each service that consumes some, or brings them up to date. Services may do
 * neither: a durable's filter is what keeps other events from a service. Repeats change nothing.
 */
export async function ensureEventStream({ url, logger }: Options): Promise<void> {
  const nats = await connectNats({ url, service: NATS_ADMIN, logger })
  try {
    // A server that has just started has no JetStream yet.
    await retry(() => ensureAll(nats), { attempts: 6, baseMs: 250, isRetryable: isLost })
  } finally {
    await closeNats(nats)
  }
}

async function ensureAll(nats: NatsConnection): Promise<void> {
  try {
    const manager = await nats.core.jetstreamManager({ checkAPI: false, timeout: API_MS })
    await ensureStream(manager)
    const hasFilterLists = isAtLeast210(nats.core.info?.version)
    for (const service of SERVICES) await ensureConsumer(manager, service, hasFilterLists)
  } catch (error) {
    throw jetStreamError(nats, error)
  }
}

async function ensureStream({ streams }: JetStreamManager): Promise<void> {
  try {
    const { config } = await streams.info(STREAM.name)
    const isUpToDate = config.max_age === STREAM.max_age && config.subjects.join() === STREAM.subjects.join()
    if (!isUpToDate) await streams.update(STREAM.name, STREAM)
  } catch (error) {
    if (!isApiError(error, STREAM_NOT_FOUND)) throw error
    await streams.add(STREAM)
  }
}

async function ensureConsumer({ consumers }: JetStreamManager, service: ServiceName, hasFilterLists: boolean): Promise<void> {
  const subjects = NEIGHBOURS[service].consumes.map(({ subject }) => subject).sort()
  if (subjects.length === 0) return
  const filters = hasFilterLists ? subjects : [narrowest(subjects)]
  const present = await consumers.info(STREAM.name, service).catch((error: unknown) => {
    if (isApiError(error, CONSUMER_NOT_FOUND)) return undefined
    throw error
  })
  if (present && filtersOf(present).join() === filters.join()) return
  // nats-server 2.9 skips events when a filter is changed in place: a new durable goes on behind the last event that was
  // acknowledged in order. What comes twice that way is known to the service's inbox table.
  if (present) await consumers.delete(STREAM.name, service)
  await consumers.add(STREAM.name, { ...consumerConfig(service, filters), ...startAfter(present) })
}

const consumerConfig = (service: ServiceName, filters: readonly string[]): Partial<ConsumerConfig> => ({
  durable_name: service,
  ack_policy: AckPolicy.Explicit,
  ack_wait: nanos(ACK_WAIT_MS),
  // Deliveries are counted in code: past a limit of its own the server would drop an event silently.
  max_deliver: -1,
  ...(filters.length === 1 ? { filter_subject: filters.join() } : { filter_subjects: [...filters] }),
})

const startAfter = (present: ConsumerInfo | undefined): Partial<ConsumerConfig> =>
  present === undefined
    ? { deliver_policy: DeliverPolicy.All }
    : { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: present.ack_floor.stream_seq + 1 }

const filtersOf = ({ config }: ConsumerInfo): string[] =>
  (config.filter_subjects ?? (config.filter_subject ? [config.filter_subject] : [])).toSorted()

/** The one pattern that covers them all, for servers before 2.10: they know a single filter. */
function narrowest(subjects: readonly string[]): string {
  const [first = [], ...others] = subjects.map((subject) => subject.split('.'))
  return first.map((token, index) => (others.every((other) => other[index] === token) ? token : '*')).join('.')
}

function isAtLeast210(version = ''): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major > 2 || (major === 2 && minor >= 10)
}
