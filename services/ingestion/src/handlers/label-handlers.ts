import type { collectionAccess as accessContract } from '@youworker/contracts/documents/collection-access'
import type { labels as contract } from '@youworker/contracts/documents/labels'
import type { Handlers } from '@youworker/messaging/requests/server'
import type { CollectionAccessService } from '../services/labels/collection-access.ts'
import type { LabelService } from '../services/labels/label-service.ts'

export const labelHandlers = (labels: LabelService): Handlers<typeof contract> => ({
  listTags: (input, context) => labels.listTags(input, context),
  renameTag: (input, context) => labels.renameTag(input, context),
  mergeTags: (input, context) => labels.mergeTags(input, context),
  deleteTag: (input, context) => labels.deleteTag(input, context),
  listCollections: (input, context) => labels.listCollections(input, context),
  createCollection: (input, context) => labels.createCollection(input, context),
  deleteCollection: (input, context) => labels.deleteCollection(input, context),
})

export const accessHandlers = (access: CollectionAccessService): Handlers<typeof accessContract> => ({
  listAccess: (input, context) => access.list(input, context),
  getAccess: (input, context) => access.get(input, context),
  setAccess: (input, context) => access.set(input, context),
  removeAccess: (input, context) => access.remove(input, context),
})
