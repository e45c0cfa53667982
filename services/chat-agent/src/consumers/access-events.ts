import { group } from '@youworker/contracts/group'
import { ingestion } from '@youworker/contracts/ingestion'
import type { NatsConnection } from '@youworker/messaging/connection/connect'
import { subscribeEvent } from '@youworker/messaging/events/events'
import type { Logger } from '@youworker/runtime/logger'
import type { Loss, RunningRuns } from '../services/agent/running-runs.ts'

interface AccessParts {
  readonly running: RunningRuns
  readonly stop: (userId: string, runId: string) => Promise<unknown>
  readonly logger: Logger
}

/** Ends the answers under way of those who lose what these are made from. */
export function followAccess(nats: NatsConnection, { running, stop, logger }: AccessParts): Disposable {
  const stack = new DisposableStack()
  const lost = (loss: Loss) => {
    for (const { id, user_id } of running.lose(loss))
      stop(user_id, id).catch((error: unknown) => logger.warn({ err: error, run_id: id }, 'a run could not be stopped'))
  }
  stack.use(subscribeEvent(nats, group.memberRemoved, ({ user_id }) => lost({ user_id })))
  stack.use(subscribeEvent(nats, ingestion.collectionUnshared, ({ user_id }) => lost({ user_id })))
  for (const event of [group.groupSoftDeleted, group.groupDeleted])
    stack.use(subscribeEvent(nats, event, ({ group_id }) => lost({ space_id: group_id })))
  for (const event of [ingestion.documentSoftDeleted, ingestion.documentDeleted, ingestion.documentMoved])
    stack.use(subscribeEvent(nats, event, ({ document_id }) => lost({ document_id })))
  return stack
}
