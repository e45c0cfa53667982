import type { Event } from '@youworker/contracts/define'
import { EventEnvelope } from '@youworker/contracts/topology/event-envelope'
import { EVENT_STREAM } from '@youworker/contracts/topology/subjects'
import type { z } from 'zod'
import type { NatsConnection } from '../connection/nats-connection.ts'
import { decodeJson } from '../requests/wire.ts'
import { API_MS, jetStreamError } from './event-stream.ts'

const BATCH = 1_000
const WAIT_MS = 5_000

/** Reads all events of one kind that the stream still holds, oldest first; for the administrator, who may read it. */
export async function* storedEvents<P extends z.ZodType>(nats: NatsConnection, event: Event<P>): AsyncGenerator<z.output<P>> {
  try {
    const jetStream = nats.core.jetstream({ timeout: API_MS })
    const consumer = await jetStream.consumers.get(EVENT_STREAM.name, { filterSubjects: event.subject })
    for (let left = (await consumer.info(true)).num_pending; left > 0;) {
      const messages = await consumer.fetch({ max_messages: Math.min(left, BATCH), expires: WAIT_MS })
      let received = 0
      for await (const { data } of messages) {
        received += 1
        const envelope = EventEnvelope.safeParse(decodeJson(data))
        const payload = event.payload.safeParse(envelope.data?.data)
        if (payload.success) yield payload.data
      }
      if (received === 0) throw new Error('the stream stopped sending')
      left -= received
    }
  } catch (error) {
    throw jetStreamError(nats, error)
  }
}
