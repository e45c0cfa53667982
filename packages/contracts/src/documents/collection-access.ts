import { z } from 'zod'
import { Id, listed, Page, Time } from '../common.ts'
import { event, request } from '../define.ts'

export const AccessRole = z.enum(['reader', 'writer'])
export type AccessRole = z.infer<typeof AccessRole>

/** A user outside the space of a collection, who finds and reads its documents; a writer also adds, replaces and deletes there. */
export const CollectionAccess = z
  .object({ collection_id: Id, user_id: Id, username: z.string(), role: AccessRole, created_at: Time })
  .meta({ id: 'CollectionAccess' })
export type CollectionAccess = z.infer<typeof CollectionAccess>

const CollectionId = z.object({ collection_id: Id })
const AccessId = CollectionId.extend({ user_id: Id })
const errors = ['COLLECTION_NOT_FOUND', 'NOT_GROUP_ADMIN', 'USER_NOT_FOUND'] as const

export const collectionAccess = {
  listAccess: request('rpc.ingestion.v1.collection-access.list', {
    input: CollectionId.extend(Page.shape),
    output: z.object({ access: z.array(CollectionAccess), total: listed.total }),
    errors: ['COLLECTION_NOT_FOUND', 'NOT_GROUP_ADMIN'],
    repeatable: true,
  }),
  getAccess: request('rpc.ingestion.v1.collection-access.get', {
    input: AccessId,
    output: CollectionAccess,
    errors,
    repeatable: true,
  }),
  /** By whose collection it is; in a group by its admins. A user who has access gets the new role. */
  setAccess: request('rpc.ingestion.v1.collection-access.set', {
    input: AccessId.extend({ role: AccessRole }),
    output: CollectionAccess,
    errors: [...errors, 'CONFLICT'],
    repeatable: true,
  }),
  /** Who was let in may leave, too. */
  removeAccess: request('rpc.ingestion.v1.collection-access.remove', { input: AccessId, output: z.object({}), errors }),

  collectionShared: event(
    'events.ingestion.v1.collection.shared',
    'A user outside the space of a collection may read it, or write to it.',
    AccessId.extend({ space_id: Id, role: AccessRole }),
  ),
  collectionUnshared: event(
    'events.ingestion.v1.collection.unshared',
    'A user may not read a collection of another space any more.',
    AccessId.extend({ space_id: Id }),
  ),
} as const
