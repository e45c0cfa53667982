import { z } from 'zod'
import { Id, Line, Metadata, Nothing, Time } from '../common.ts'
import { request } from '../define.ts'
import { WAIT } from '../limits.ts'
import { Attributes } from './attribute-filter.ts'
import { RowPage } from './stored-files.ts'

const Count = z.number().int().min(0)

export const FileStatus = z.enum(['in_progress', 'completed', 'failed', 'cancelled'])
export type FileStatus = z.infer<typeof FileStatus>

const FileCounts = z.record(FileStatus, Count)
export type FileCounts = z.infer<typeof FileCounts>

/** A collection, as a vector store of OpenAI's protocol. */
export const VectorStore = z.object({
  id: Id.meta({ description: 'Of the collection.' }),
  group_id: Id.nullable(),
  name: z.string(),
  description: z.string().nullable(),
  metadata: Metadata,
  /** In days, after it was last searched or changed. */
  expires_after: z.number().int().nullable(),
  created_at: Time,
  last_active_at: Time,
  file_counts: FileCounts,
  /** Of the files that were read. */
  usage_bytes: Count,
})
export type VectorStore = z.infer<typeof VectorStore>

export const StoreFile = z.object({
  id: Id.meta({ description: 'Of the document.' }),
  store_id: Id,
  created_at: Time,
  bytes_size: Count,
  name: z.string(),
  status: FileStatus,
  error: z.object({ code: z.enum(['server_error', 'unsupported_file', 'invalid_file']), message: z.string() }).nullable(),
  attributes: Attributes,
})
export type StoreFile = z.infer<typeof StoreFile>

export const FileBatch = z.object({
  id: Id,
  store_id: Id,
  created_at: Time,
  status: FileStatus,
  file_counts: FileCounts,
})
export type FileBatch = z.infer<typeof FileBatch>

/** How all files are cut, by the settings of the installation. In tokens. */
const Chunking = z.object({ chunk_tokens: Count, chunk_overlap: Count })

const MAX_BATCH = 2_000
const NewFiles = z.array(z.object({ file_id: Id, attributes: Attributes.optional() })).max(MAX_BATCH)
const StoreId = z.object({ store_id: Id })
const OneFile = StoreId.extend({ file_id: Id })
const OneBatch = StoreId.extend({ batch_id: Id })

const facts = {
  name: Line(256).optional(),
  description: z.string().max(512).nullable().optional(),
  metadata: Metadata.optional(),
  expires_after: z.number().int().min(1).max(365).nullable().optional(),
}
const files = z.object({ files: z.array(StoreFile), has_more: z.boolean(), chunking: Chunking })
const noStore = ['COLLECTION_NOT_FOUND'] as const
const noFile = ['COLLECTION_NOT_FOUND', 'DOCUMENT_NOT_FOUND'] as const

export const vectorStores = {
  /** With files to begin with, or not at all. In a group, whose members all use it, with `group_id`. */
  createStore: request('rpc.ingestion.v1.store.create', {
    input: z.object({ ...facts, group_id: Id.optional(), files: NewFiles.default([]) }),
    output: VectorStore,
    errors: ['GROUP_NOT_FOUND', 'DOCUMENT_NOT_FOUND'],
    deadlineMs: WAIT.slowRequest,
  }),
  listStores: request('rpc.ingestion.v1.store.list', {
    input: RowPage,
    output: z.object({ stores: z.array(VectorStore), has_more: z.boolean() }),
    errors: noStore,
    repeatable: true,
  }),
  /** Also before a run searches in it, so with the scopes of a search. */
  getStore: request('rpc.ingestion.v1.store.get', {
    scopes: ['documents', 'documents:read'],
    input: StoreId,
    output: VectorStore,
    errors: noStore,
    repeatable: true,
  }),
  /** In a group by its admins. */
  updateStore: request('rpc.ingestion.v1.store.update', {
    input: StoreId.extend(facts),
    output: VectorStore,
    errors: [...noStore, 'NOT_GROUP_ADMIN'],
    repeatable: true,
  }),
  /** Files that were not read yet are read. One that is there already gets the attributes. */
  attachFile: request('rpc.ingestion.v1.store.attach-file', {
    input: StoreId.extend({ files: NewFiles.length(1) }),
    output: z.object({ file: StoreFile, chunking: Chunking }),
    errors: noFile,
    deadlineMs: WAIT.slowRequest,
  }),
  listStoreFiles: request('rpc.ingestion.v1.store.list-files', {
    input: RowPage.extend({ ...StoreId.shape, batch_id: Id.optional(), status: FileStatus.optional() }),
    output: files,
    errors: noFile,
    repeatable: true,
  }),
  getStoreFile: request('rpc.ingestion.v1.store.get-file', {
    input: OneFile,
    output: z.object({ file: StoreFile, chunking: Chunking }),
    errors: noFile,
    repeatable: true,
  }),
  updateStoreFile: request('rpc.ingestion.v1.store.update-file', {
    input: OneFile.extend({ attributes: Attributes }),
    output: z.object({ file: StoreFile, chunking: Chunking }),
    errors: [...noFile, 'NOT_GROUP_ADMIN'],
    repeatable: true,
  }),
  /** The document stays, without this collection. */
  detachFile: request('rpc.ingestion.v1.store.detach-file', {
    input: OneFile,
    output: Nothing,
    errors: [...noFile, 'NOT_GROUP_ADMIN'],
  }),
  createBatch: request('rpc.ingestion.v1.store.create-batch', {
    input: StoreId.extend({ files: NewFiles.min(1) }),
    output: FileBatch,
    errors: noFile,
    deadlineMs: WAIT.slowRequest,
  }),
  getBatch: request('rpc.ingestion.v1.store.get-batch', {
    input: OneBatch,
    output: FileBatch,
    errors: noStore,
    repeatable: true,
  }),
  /** What of it is not read yet is not read any more. By who began it. */
  cancelBatch: request('rpc.ingestion.v1.store.cancel-batch', {
    input: OneBatch,
    output: FileBatch,
    errors: noStore,
    repeatable: true,
  }),
} as const
