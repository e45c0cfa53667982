import type { RunEntry } from '@youworker/contracts/agent/run-log'
import { liveSubject } from '@youworker/contracts/topology/subjects'
import type { NatsConnection } from '../connection/connect.ts'
import { describeError } from '@youworker/runtime/describe-error'
import { decodeJson, encodeJson } from '../requests/wire.ts'

/** Publishes an entry to the run's current subscribers. Never throws: lost entries are read from the run's log. */
export function publishLive(nats: NatsConnection, runId: string, entry: RunEntry): void {
  // While disconnected the library would buffer the entry until the next connection attempt, then drop it.
  if (!nats.isUp) return
  const data = encodeJson(entry)
  nats.sends.add(() => {
    try {
      nats.core.publish(liveSubject(runId), data)
    } catch (error) {
      nats.logger.debug({ run_id: runId, error: describeError(error) }, 'a live entry was not sent')
    }
  })
}

/** `bytes`: size of the entry as it was sent. */
export type LiveListener = (entry: RunEntry, bytes: number) => void

/** Calls `listener` for each live entry of a run, in the order published by the attempt's owner; any entry may be missing. */
export function subscribeLive(nats: NatsConnection, runId: string, listener: LiveListener): Disposable {
  const subject = liveSubject(runId)
  const subscription = nats.core.subscribe(subject, {
    callback: (refused, message) => {
      if (refused) return nats.subscriptionRefused(subject, refused)
      try {
        const entry = decodeJson(message.data)
        if (isEntry(entry)) listener(entry, message.data.length)
      } catch (error) {
        nats.logger.error({ run_id: runId, error: describeError(error) }, 'a received live entry could not be handled')
      }
    },
  })
  return { [Symbol.dispose]: () => subscription.unsubscribe() }
}

/**
 * A full schema parse per token and subscriber would cost more than the rest of the delivery. Safe to skip, because only the
 * chat-agent may publish on this subject.
 */
function isEntry(value: unknown): value is RunEntry {
  return typeof value === 'object' && value !== null && 'n' in value && typeof value.n === 'number' && 'body' in value
}
