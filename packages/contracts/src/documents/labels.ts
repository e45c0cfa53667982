import { z } from 'zod'
import { CursorPage, foldCase, Id, Line, listed, MAX_TAG, Time } from '../common.ts'
import { AccessRole } from './collection-access.ts'
import { request } from '../define.ts'

const Count = z.number().int().min(0)

export const Tag = z
  .object({
    id: Id,
    name: z.string(),
    group_id: Id.nullable().meta({ description: 'The group whose documents it labels; `null` for your own.' }),
    document_count: Count,
    created_at: Time,
  })
  .meta({ id: 'Tag' })
export type Tag = z.infer<typeof Tag>

export const Collection = Tag.extend({
  total_bytes: Count,
  access: AccessRole.optional().meta({ description: 'Of one that others have let you into.' }),
}).meta({ id: 'Collection' })
export type Collection = z.infer<typeof Collection>

/** Documents follow in a job, whose progress is a task. */
const Following = z.object({ task_id: Id.optional().meta({ description: 'Under /v1/tasks: its documents follow.' }) })
export const ChangedTag = Tag.extend(Following.shape).meta({ id: 'ChangedTag' })
const TagId = z.object({ tag_id: Id })
const LabelPage = CursorPage.extend({ group_id: Id.optional() })

export const labels = {
  listTags: request('rpc.ingestion.v1.tag.list', {
    input: LabelPage,
    output: z.object({ tags: z.array(Tag), ...listed }),
    errors: ['GROUP_NOT_FOUND'],
    repeatable: true,
  }),
  /** `CONFLICT`: the space has a tag of that name. In a group only its admins change tags, as with the next two. */
  renameTag: request('rpc.ingestion.v1.tag.rename', {
    input: TagId.extend({ name: Line(MAX_TAG, foldCase) }),
    output: ChangedTag,
    errors: ['TAG_NOT_FOUND', 'NOT_GROUP_ADMIN', 'CONFLICT'],
  }),
  /** Its documents get the tag `into` of the same space instead. */
  mergeTags: request('rpc.ingestion.v1.tag.merge', {
    input: TagId.extend({ into: Id }),
    output: ChangedTag,
    errors: ['TAG_NOT_FOUND', 'NOT_GROUP_ADMIN'],
  }),
  deleteTag: request('rpc.ingestion.v1.tag.delete', {
    input: TagId,
    output: Following,
    errors: ['TAG_NOT_FOUND', 'NOT_GROUP_ADMIN'],
  }),
  listCollections: request('rpc.ingestion.v1.collection.list', {
    input: LabelPage,
    output: z.object({ collections: z.array(Collection), ...listed }),
    errors: ['GROUP_NOT_FOUND'],
    repeatable: true,
  }),
  /** One that is there already is answered as it is. */
  createCollection: request('rpc.ingestion.v1.collection.create', {
    input: z.object({ name: Line(128), group_id: Id.optional() }),
    output: Collection,
    errors: ['GROUP_NOT_FOUND'],
    repeatable: true,
  }),
  /** Its documents stay, without it. */
  deleteCollection: request('rpc.ingestion.v1.collection.delete', {
    input: z.object({ collection_id: Id }),
    output: Following,
    errors: ['COLLECTION_NOT_FOUND', 'NOT_GROUP_ADMIN'],
  }),
} as const
