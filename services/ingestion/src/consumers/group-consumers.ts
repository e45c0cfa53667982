import { group } from '@youworker/contracts/group'
import { type EventHandler, on } from '@youworker/messaging/events/events'
import type { ErasureService } from '../services/documents/erasure-service.ts'

export const groupConsumers = (erasure: ErasureService): readonly EventHandler[] => [
  on(group.groupDeleted, (deleted, { id }) => erasure.groupDeleted(deleted, id)),
  on(group.memberRemoved, (membership, { id }) => erasure.memberRemoved(membership, id)),
]
