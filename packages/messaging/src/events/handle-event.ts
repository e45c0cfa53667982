import type { EventEnvelope } from '@youworker/contracts/topology/event-envelope'
import { readCorrelationId, readTraceparent } from '@youworker/runtime/correlation'
import { inRequest } from '@youworker/runtime/current-request'
import type { Logger } from '@youworker/runtime/logger'
import { errorName, startSpan } from '@youworker/runtime/tracing/span'

/** Works on an event as part of the request that caused it, in a span of its own, and logs its end. */
export async function handleEvent(envelope: EventEnvelope, work: () => Promise<void>, logger: Logger): Promise<void> {
  const { type: subject, id } = envelope
  const started = performance.now()
  // Whoever may publish the event has written both.
  const correlationId = readCorrelationId(envelope.correlationid)
  const parent = readTraceparent(envelope.traceparent)
  const attributes = { 'messaging.system': 'nats', 'messaging.message.id': id, 'youworker.correlation_id': correlationId }
  const span = startSpan({ kind: 'consumer', name: subject, parent, attributes })
  await inRequest({ correlationId, traceparent: span.traceparent }, async () => {
    try {
      await work()
      logger.info({ subject, id, ms: Math.round((performance.now() - started) * 10) / 10 }, 'event')
      span.end()
    } catch (error) {
      span.end({ error: errorName(error) })
      throw error
    }
  })
}
