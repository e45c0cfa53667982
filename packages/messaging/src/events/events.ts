import type { Event } from '@youworker/contracts/define'
import { EventEnvelope } from '@youworker/contracts/topology/event-envelope'
import type { Logger } from '@youworker/runtime/logger'
import { newId } from '@youworker/runtime/id'
import { z } from 'zod'
import { type NatsConnection, onReconnect } from '../connection/connect.ts'
import { describeError } from '@youworker/runtime/describe-error'
import { type ConsumerOptions, type DeadLetter, EventConsumer, type EventHandler, IN_BATCHES } from './event-consumer.ts'
import { jetStreamError, readStream } from './event-stream.ts'
import { decodeJson, encodeJson, HEADER, line } from '../requests/wire.ts'

export { type DeadLetter, type EventHandler, IN_BATCHES }

/** The port through which the outbox relay publishes. */
export interface EventPublisher {
  /** Another `created` than before means that the store was lost. */
  stream(): Promise<{ created: string; last_seq: number }>
  /**
   * Resolves to the events' numbers in the stream, in order; rejects when any of them was not stored. JetStream drops repeats
   * by id.
   */
  publish(envelopes: readonly EventEnvelope[]): Promise<readonly number[]>
  onReconnect(listener: () => void): Disposable
}

const ACK_MS = 5_000

const PublishAck = z.union([
  z.object({ error: z.object({ description: z.string() }) }),
  z.object({ seq: z.number().int().positive(), error: z.undefined().optional() }),
])

async function publishEvent(nats: NatsConnection, envelope: EventEnvelope, messageId: string): Promise<number> {
  const lines = line(HEADER.messageId, messageId)
  const reply = await nats.inbox.request({ subject: envelope.type, data: encodeJson(envelope), lines, waitMs: ACK_MS })
  const ack = PublishAck.parse(decodeJson(reply.data))
  if (ack.error) throw new Error(ack.error.description)
  return ack.seq
}

/** Publishes an event once more although the stream may hold it: consumers that have handled it know its id. */
export async function republishEvent(nats: NatsConnection, envelope: EventEnvelope): Promise<void> {
  try {
    await publishEvent(nats, envelope, newId())
  } catch (error) {
    throw jetStreamError(nats, error)
  }
}

export function createEventPublisher(nats: NatsConnection, { logger }: { logger: Logger }): EventPublisher {
  const publishOne = (envelope: EventEnvelope) => publishEvent(nats, envelope, envelope.id)
  return {
    stream: () => readStream(nats),
    async publish(envelopes) {
      try {
        return await Promise.all(envelopes.map(publishOne))
      } catch (error) {
        logger.debug({ error: describeError(error) }, 'events could not be published')
        throw jetStreamError(nats, error)
      }
    },
    onReconnect: (listener) => onReconnect(nats, listener),
  }
}

/**
 * Passes every event to its handler at least once, in one of the replicas; handlers write an inbox row to make it exactly once.
 * The order is not guaranteed. Rejects when JetStream is not usable.
 */
export async function consumeEvents(nats: NatsConnection, options: ConsumerOptions): Promise<AsyncDisposable> {
  const consumer = new EventConsumer(nats, options)
  await consumer.start()
  return consumer
}

/** Types a handler by its event. */
export const on = <P extends z.ZodType>(
  event: Event<P>,
  handle: (data: z.output<P>, envelope: EventEnvelope) => Promise<void>,
): EventHandler => ({
  event,
  // EventConsumer has parsed `data` with this event's schema.
  handle: (data, envelope) => handle(data as z.output<P>, envelope),
})

/**
 * Every connected replica receives the event, and misses it while disconnected: use it for caches and client streams, never for
 * effects.
 */
export function subscribeEvent<P extends z.ZodType>(
  nats: NatsConnection,
  event: Event<P>,
  listener: (data: z.output<P>, envelope: EventEnvelope) => void,
): Disposable {
  const { subject } = event
  const subscription = nats.core.subscribe(subject, {
    callback: (refused, message) => {
      if (refused) return nats.subscriptionRefused(subject, refused)
      try {
        const envelope = EventEnvelope.parse(decodeJson(message.data))
        listener(event.payload.parse(envelope.data), envelope)
      } catch (error) {
        nats.logger.error({ subject, error: describeError(error) }, 'a received event could not be handled')
      }
    },
  })
  return { [Symbol.dispose]: () => subscription.unsubscribe() }
}
