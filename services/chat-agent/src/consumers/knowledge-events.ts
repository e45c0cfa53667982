import { group } from '@youworker/contracts/group'
import { ingestion } from '@youworker/contracts/ingestion'
import { type NatsConnection, onReconnect } from '@youworker/messaging/connection/connect'
import { subscribeEvent } from '@youworker/messaging/events/events'
import type { KnowledgeChanges } from '../services/cache/knowledge-changes.ts'

/** Passes on every change of what users can find. Before it began, and while NATS was away, some may have been missed. */
export async function followKnowledge(nats: NatsConnection, knowledge: KnowledgeChanges): Promise<Disposable> {
  using stack = new DisposableStack()
  const { documentIngested, documentSoftDeleted, documentRestored, documentDeleted } = ingestion
  for (const event of [documentIngested, documentSoftDeleted, documentRestored, documentDeleted])
    stack.use(subscribeEvent(nats, event, ({ space_id }) => knowledge.documentsChanged(space_id)))
  stack.use(
    subscribeEvent(nats, ingestion.documentMoved, ({ space_id, from_space_id }) => {
      for (const id of [space_id, from_space_id]) knowledge.documentsChanged(id)
    }),
  )
  for (const event of [group.memberAdded, group.memberRemoved])
    stack.use(subscribeEvent(nats, event, ({ user_id }) => knowledge.rightsChanged(user_id)))
  for (const event of [ingestion.collectionShared, ingestion.collectionUnshared])
    stack.use(subscribeEvent(nats, event, ({ user_id }) => knowledge.rightsChanged(user_id)))
  for (const event of [group.groupSoftDeleted, group.groupRestored, group.groupDeleted])
    stack.use(subscribeEvent(nats, event, ({ group_id }) => knowledge.rightsChanged(group_id)))
  stack.use(onReconnect(nats, () => knowledge.missed()))
  // Nothing is missed once the server has the subscriptions.
  await nats.core.flush()
  knowledge.began()
  return stack.move()
}
