import { auth, type ERASING } from '@youworker/contracts/auth'
import { newCorrelationId, newTraceparent } from '@youworker/runtime/correlation'
import type { NatsConnection } from '../connection/connect.ts'
import { createClient } from '../requests/client.ts'
import type { EventHandler } from './event-consumer.ts'
import { on } from './events.ts'

interface Trace {
  readonly correlationId: string
  readonly traceparent: string
}

/**
 * Erases a deleted user in one service, then reports it to auth. `erase` must do no harm when it runs again: the event comes twice, and
 * more often until auth has all reports.
 */
export function onUserDeleted(
  nats: NatsConnection,
  service: (typeof ERASING)[number],
  erase: (userId: string, trace: Trace) => Promise<void>,
): EventHandler {
  const client = createClient(nats, auth)
  return on(auth.userDeleted, async ({ user_id, round }, { correlationid, traceparent }) => {
    const trace = { correlationId: correlationid ?? newCorrelationId(), traceparent: traceparent ?? newTraceparent() }
    await erase(user_id, trace)
    await client.as(trace).reportErasure({ user_id, round, service })
  })
}
