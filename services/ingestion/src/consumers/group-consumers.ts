import { group } from '@youworker/contracts/group'
import { type EventHandler, on } from '@youworker/messaging/events/events'
import type { ErasureService } from '../services/documents/erasure-service.ts'

export const groupConsumers = (erasure: ErasureService): readonly EventHandler[] => [
  on(group.groupSoftDeleted, ({ group_id }, { id }) => erasure.groupHidden(group_id, true, id)),
  on(group.groupRestored, ({ group_id }, { id }) => erasure.groupHidden(group_id, false, id)),
  on(group.groupDeleted, (deleted, { id }) => erasure.groupDeleted(deleted, id)),
  on(group.memberRemoved, (membership, { id }) => erasure.memberRemoved(membership, id)),
]
