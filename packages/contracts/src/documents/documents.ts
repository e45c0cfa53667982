import { z } from 'zod'
import { CursorPage, foldCase, Id, listed, MAX_TAG, Nothing, Time } from '../common.ts'
import { event, request } from '../define.ts'
import { deletedFields, listErasures } from '../erasures.ts'
import { WAIT } from '../limits.ts'
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
    ...deletedFields,
  })
  .meta({ id: 'Document' })
export type Document = z.infer<typeof Document>

export const CollectionSum = z.object({ collection: z.string().nullable(), document_count: Count, total_bytes: Count })
export type CollectionSum = z.infer<typeof CollectionSum>

export const DocumentId = z.object({ document_id: Id })

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
