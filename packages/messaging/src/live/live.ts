import type { RunEntry } from '@youworker/contracts/run-log'
import { liveSubject } from '@youworker/contracts/topology/subjects'
import type { NatsConnection } from '../connection/connect.ts'
import { describeError } from '../connection/describe-error.ts'
import { decodeJson, encodeJson } from '../requests/wire.ts'

/** Shows an entry to whoever watches the run now. Never throws: what gets lost here is read from the run's log. */
export function publishLive(nats: NatsConnection, runId: string, entry: RunEntry): void {
  // The library would keep it in memory until the next try to connect, then drop it.
  if (!nats.isUp) return
  try {
    nats.core.publish(liveSubject(runId), encodeJson(entry))
  } catch (error) {
    nats.logger.debug({ run_id: runId, error: describeError(error) }, 'a live entry was not sent')
  }
}

/** Live entries of a run, in the order of their attempt's owner; gaps are possible at any time. */
export function subscribeLive(nats: NatsConnection, runId: string, listener: (entry: RunEntry) => void): Disposable {
  const subject = liveSubject(runId)
  const subscription = nats.core.subscribe(subject, {
    callback: (refused, message) => {
      if (refused) return nats.subscriptionRefused(subject, refused)
      try {
        const entry = decodeJson(message.data)
        if (isEntry(entry)) listener(entry)
      } catch (error) {
        nats.logger.error({ run_id: runId, error: describeError(error) }, 'a live entry could not be heard')
      }
    },
  })
  return { [Symbol.dispose]: () => subscription.unsubscribe() }
}

/** A full parse per token and viewer would cost more than all the rest of the way; only the chat-agent may publish here. */
function isEntry(value: unknown): value is RunEntry {
  return typeof value === 'object' && value !== null && 'n' in value && typeof value.n === 'number' && 'body' in value
}
