import { EVENT_STREAM } from '@youworker/contracts/topology/subjects'
import { AckPolicy, type ConsumerConfig, type ConsumerInfo, DeliverPolicy, type JetStreamManager, nanos } from 'nats'
import { CONSUMER_NOT_FOUND, isApiError } from './event-stream.ts'

const ACK_WAIT_MS = 30_000

/** Where a durable begins to read. */
export type Start = Pick<ConsumerConfig, 'deliver_policy'> & Partial<Pick<ConsumerConfig, 'opt_start_seq' | 'opt_start_time'>>

/** Makes a durable that reads these subjects from the beginning of the stream, or gives the present one this filter. */
export async function ensureDurable(manager: JetStreamManager, name: string, filters: readonly string[]): Promise<void> {
  const present = await manager.consumers.info(EVENT_STREAM.name, name).catch((error: unknown) => {
    if (isApiError(error, CONSUMER_NOT_FOUND)) return undefined
    throw error
  })
  if (present && filtersOf(present).join() === filters.join()) return
  // nats-server 2.9 skips events when a filter is changed in place: a new durable goes on behind the last event that was
  // acknowledged in order. What comes twice that way is known to the service's inbox table.
  await replaceDurable(manager, name, filters, startAfter(present))
}

export async function replaceDurable(
  { consumers }: JetStreamManager,
  name: string,
  filters: readonly string[],
  start: Start,
): Promise<void> {
  await consumers.delete(EVENT_STREAM.name, name).catch((error: unknown) => {
    if (!isApiError(error, CONSUMER_NOT_FOUND)) throw error
  })
  await consumers.add(EVENT_STREAM.name, { ...consumerConfig(name, filters), ...start })
}

const consumerConfig = (name: string, filters: readonly string[]): Partial<ConsumerConfig> => ({
  durable_name: name,
  ack_policy: AckPolicy.Explicit,
  ack_wait: nanos(ACK_WAIT_MS),
  // Deliveries are counted in code: past a limit of its own the server would drop an event silently.
  max_deliver: -1,
  ...(filters.length === 1 ? { filter_subject: filters.join() } : { filter_subjects: [...filters] }),
})

const startAfter = (present: ConsumerInfo | undefined): Start =>
  present === undefined
    ? { deliver_policy: DeliverPolicy.All }
    : { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: present.ack_floor.stream_seq + 1 }

export const filtersOf = ({ config }: ConsumerInfo): string[] =>
  (config.filter_subjects ?? (config.filter_subject ? [config.filter_subject] : [])).toSorted()
