import { wakeSubject } from '@youworker/contracts/topology/subjects'
import type { NatsConnection } from '../connection/connect.ts'
import { describeError } from '@youworker/runtime/describe-error'

/** Notifies every replica's worker of a new job. Never throws: workers also poll. */
export function wake(nats: NatsConnection, service: string, kind: string): void {
  if (!nats.isUp) return
  nats.sends.add(() => {
    try {
      nats.core.publish(wakeSubject(service, kind))
    } catch (error) {
      nats.logger.debug({ kind, error: describeError(error) }, 'a worker was not woken')
    }
  })
}

export function onWake(nats: NatsConnection, service: string, kind: string, fn: () => void): Disposable {
  const subject = wakeSubject(service, kind)
  const subscription = nats.core.subscribe(subject, {
    callback: (refused) => {
      if (refused) return nats.subscriptionRefused(subject, refused)
      try {
        fn()
      } catch (error) {
        nats.logger.error({ subject, error: describeError(error) }, 'waking a worker failed')
      }
    },
  })
  return { [Symbol.dispose]: () => subscription.unsubscribe() }
}
