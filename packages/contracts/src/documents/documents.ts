import { z } from 'zod'
import { CursorPage, foldCase, Id, Line, listed, MAX_TAG, Nothing, SpokenTime, Tags, Time } from '../common.ts'
import { event, request } from '../define.ts'
import { deletedFields, listErasures } from '../erasures.ts'
import { LIMITS, WAIT } from '../limits.ts'
import { AccessRole } from './collection-access.ts'
import { Source } from './sources.ts'
import { BlobId } from './uploads.ts'

const Count = z.number().int().min(0)

export const Document = z
  .object({
    id: Id,
    uri: z.string(),
    path: z.string(),
    title: z.string(),
    mime: z.string(),
    bytes_size: Count,
    source: Source,
    tags: z.array(z.string()),
    collection: z.string().nullable(),
    group_id: Id.nullable(),
    is_private: z.boolean(),
    path_hash: z.string(),
    chunk_count: Count,
    created_at: Time,
    last_ingested_at: Time,
    access: AccessRole.optional().meta({ description: 'Of one in a collection that others have let you into.' }),
    ...deletedFields,
  })
  .meta({ id: 'Document' })
export type Document = z.infer<typeof Document>

export const CollectionSum = z.object({ collection: z.string().nullable(), document_count: Count, total_bytes: Count })
export type CollectionSum = z.infer<typeof CollectionSum>

export const DocumentId = z.object({ document_id: Id })

export const DocumentChanges = DocumentId.extend({
  title: Line(300).optional(),
  tags: Tags.optional(),
  collection: Line(128).nullable().optional(),
  group_id: Id.nullable().optional(),
  is_private: z.boolean().optional(),
})
export type DocumentChanges = z.infer<typeof DocumentChanges>

export const DocumentChunk = z
  .object({
    id: Id,
    index: Count,
    text: z.string(),
    title_path: z.array(z.string()),
    page: z.number().int().nullable(),
    time: SpokenTime.optional(),
    start: Count.meta({ description: 'Where it begins in the text of the document, in UTF-16 units.' }),
    end: Count,
  })
  .meta({ id: 'DocumentChunk' })
export type DocumentChunk = z.infer<typeof DocumentChunk>

export const documents = {
  listDocuments: request('rpc.ingestion.v1.document.list', {
    input: CursorPage.extend({
      collection: z.string().max(128).optional(),
      tag: z.string().max(MAX_TAG).overwrite(foldCase).optional(),
      group_id: Id.optional(),
      mime: z.string().max(255).optional(),
      q: z.string().max(200).optional(),
      include_deleted: z.boolean().default(false),
    }),
    output: z.object({ documents: z.array(Document), ...listed }),
    errors: ['GROUP_NOT_FOUND'],
    repeatable: true,
  }),
  /** The documents that the caller brought, or those of a group, by collection, the largest first; at most 500 collections. */
  sumCollections: request('rpc.ingestion.v1.collection.sum', {
    input: z.object({ group_id: Id.optional() }),
    output: z.object({ collections: z.array(CollectionSum) }),
    errors: ['GROUP_NOT_FOUND'],
    repeatable: true,
  }),
  getDocument: request('rpc.ingestion.v1.document.get', {
    input: DocumentId,
    output: Document,
    errors: ['DOCUMENT_NOT_FOUND'],
    repeatable: true,
  }),
  /** `group_id` and `is_private` move it between spaces, which only who brought it may do. `CONFLICT`: another one has its path there. */
  updateDocument: request('rpc.ingestion.v1.document.update', {
    input: DocumentChanges,
    output: Document,
    errors: ['DOCUMENT_NOT_FOUND', 'GROUP_NOT_FOUND', 'NOT_GROUP_ADMIN', 'CONFLICT'],
    deadlineMs: WAIT.slowRequest,
    repeatable: true,
  }),
  /** The passages of its present version in their order, from `after` on, and as many as fit into a reply. */
  listChunks: request('rpc.ingestion.v1.document.list-chunks', {
    input: DocumentId.extend({
      limit: z.coerce.number().int().min(1).max(LIMITS.listRows).default(50),
      after: z.coerce.number().int().min(0).optional(),
    }),
    output: z.object({ chunks: z.array(DocumentChunk), total: Count, next_after: Count.optional() }),
    errors: ['DOCUMENT_NOT_FOUND'],
    repeatable: true,
  }),
  /**
   * Nobody finds or reads it from then on, and after some time it is erased with chunks, embeddings and file; with `purge` at once, also
   * one that is deleted already. In a group: by who brought it, or by an admin.
   */
  deleteDocument: request('rpc.ingestion.v1.document.delete', {
    input: DocumentId.extend({ purge: z.boolean().default(false) }),
    output: Nothing,
    errors: ['DOCUMENT_NOT_FOUND', 'NOT_GROUP_ADMIN'],
  }),
  /** By who may delete it. A document that is not deleted stays as it is. `CONFLICT`: another one has its path now. */
  restoreDocument: request('rpc.ingestion.v1.document.restore', {
    input: DocumentId,
    output: Document,
    errors: ['DOCUMENT_NOT_FOUND', 'NOT_GROUP_ADMIN', 'CONFLICT'],
    repeatable: true,
  }),
  listErasures: listErasures('rpc.ingestion.v1.erasure.list'),
  openContent: request('rpc.ingestion.v1.document.open-content', {
    input: DocumentId,
    output: BlobId.extend({ name: z.string(), mime: z.string(), size: Count, pieces: Count, sha256: z.string() }),
    errors: ['DOCUMENT_NOT_FOUND'],
    repeatable: true,
  }),
  readBlob: request('rpc.ingestion.v1.blob.read', {
    reply: 'bytes',
    input: BlobId.extend({ index: z.number().int().min(0).max(4_095) }),
    output: Nothing,
    errors: ['BLOB_NOT_FOUND'],
    deadlineMs: WAIT.slowRequest,
    repeatable: true,
  }),

  documentIngested: event(
    'events.ingestion.v1.document.ingested',
    'A document or a new version of it can be found. `replaced`: an earlier version made way.',
    DocumentId.extend({ user_id: Id, space_id: Id, bytes_size: Count, chunks: Count, replaced: z.boolean() }),
  ),
  documentMoved: event(
    'events.ingestion.v1.document.moved',
    'A document is found in another space now: it was shared with a group, or taken out of one.',
    DocumentId.extend({ user_id: Id, space_id: Id, from_space_id: Id, bytes_size: Count, chunks: Count }),
  ),
  documentSoftDeleted: event(
    'events.ingestion.v1.document.soft-deleted',
    'A document cannot be found any more. Until it is erased, which `document.deleted` tells, it can be restored.',
    DocumentId.extend({ user_id: Id, space_id: Id }),
  ),
  documentRestored: event(
    'events.ingestion.v1.document.restored',
    'A document that was deleted can be found again.',
    DocumentId.extend({ user_id: Id, space_id: Id }),
  ),
  documentDeleted: event(
    'events.ingestion.v1.document.deleted',
    'A document was erased, by itself or with its group.',
    DocumentId.extend({ user_id: Id, space_id: Id }),
  ),
} as const
