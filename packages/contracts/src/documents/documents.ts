import { z } from 'zod'
import { CursorPage, foldCase, Id, listed, MAX_TAG, Nothing, Time } from '../common.ts'
import { request } from '../define.ts'
import { WAIT } from '../limits.ts'
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
    source: z.enum(['upload']),
    tags: z.array(z.string()),
    collection: z.string().nullable(),
    group_id: Id.nullable(),
    is_private: z.boolean(),
    path_hash: z.string(),
    chunk_count: Count,
    created_at: Time,
    last_ingested_at: Time,
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
  /** Erases document, chunks, embeddings and file, and removes it from search. In a group: by who brought it, or by an admin. */
  deleteDocument: request('rpc.ingestion.v1.document.delete', {
    input: DocumentId,
    output: Nothing,
    errors: ['DOCUMENT_NOT_FOUND', 'NOT_GROUP_ADMIN'],
  }),
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
} as const
