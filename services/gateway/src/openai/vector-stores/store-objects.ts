import { Metadata } from '@youworker/contracts/common'
import { Attributes } from '@youworker/contracts/documents/attribute-filter'
import {
  type FileBatch,
  type FileCounts,
  FileStatus,
  type StoreFile,
  type VectorStore,
} from '@youworker/contracts/documents/vector-stores'
import { z } from 'zod'
import { batchIdOf, fileIdOf, secondsOf, storeIdOf } from '../files/file-ids.ts'

const Count = z.number().int().min(0)
const Counts = z.object({ in_progress: Count, completed: Count, failed: Count, cancelled: Count, total: Count })
const DAY = 86_400

export const VectorStoreObject = z
  .object({
    id: z.string(),
    object: z.literal('vector_store'),
    created_at: Count,
    name: z.string(),
    description: z.string().nullable(),
    usage_bytes: Count,
    file_counts: Counts,
    status: z.enum(['expired', 'in_progress', 'completed']),
    expires_after: z.object({ anchor: z.literal('last_active_at'), days: Count }).nullable(),
    expires_at: Count.nullable(),
    last_active_at: Count,
    metadata: Metadata,
    group_id: z.string().nullable().meta({ description: 'The group whose members use it; `null` for your own.' }),
  })
  .meta({ id: 'VectorStore' })

const ChunkingStrategy = z.object({
  type: z.literal('static'),
  static: z.object({ max_chunk_size_tokens: Count, chunk_overlap_tokens: Count }),
})

export const VectorStoreFile = z
  .object({
    id: z.string(),
    object: z.literal('vector_store.file'),
    created_at: Count,
    vector_store_id: z.string(),
    usage_bytes: Count,
    status: FileStatus,
    last_error: z.object({ code: z.enum(['server_error', 'unsupported_file', 'invalid_file']), message: z.string() }).nullable(),
    attributes: Attributes,
    chunking_strategy: ChunkingStrategy.meta({ description: 'As the installation is set to cut all files.' }),
    filename: z.string(),
  })
  .meta({ id: 'VectorStoreFile' })

export const FileBatchObject = z
  .object({
    id: z.string(),
    object: z.literal('vector_store.files_batch'),
    created_at: Count,
    vector_store_id: z.string(),
    status: FileStatus,
    file_counts: Counts,
  })
  .meta({ id: 'VectorStoreFileBatch' })

const withTotal = (counts: FileCounts): z.output<typeof Counts> => ({
  ...counts,
  total: counts.in_progress + counts.completed + counts.failed + counts.cancelled,
})

export function toVectorStore({ id, created_at, expires_after, ...store }: VectorStore): z.output<typeof VectorStoreObject> {
  const { name, description, usage_bytes, metadata, group_id } = store
  const last_active_at = secondsOf(store.last_active_at)
  const expires_at = expires_after === null ? null : last_active_at + expires_after * DAY
  const isOver = expires_at !== null && expires_at * 1_000 < Date.now()
  const isBusy = store.file_counts.in_progress > 0
  return {
    id: storeIdOf(id),
    object: 'vector_store',
    created_at: secondsOf(created_at),
    name,
    description,
    usage_bytes,
    file_counts: withTotal(store.file_counts),
    status: isOver ? 'expired' : isBusy ? 'in_progress' : 'completed',
    expires_after: expires_after === null ? null : { anchor: 'last_active_at', days: expires_after },
    expires_at,
    last_active_at,
    metadata,
    group_id,
  }
}

interface Chunking {
  readonly chunk_tokens: number
  readonly chunk_overlap: number
}

export function toVectorStoreFile(file: StoreFile, { chunk_tokens, chunk_overlap }: Chunking): z.output<typeof VectorStoreFile> {
  const { id, store_id, created_at, bytes_size, status, error, attributes, name } = file
  return {
    id: fileIdOf(id),
    object: 'vector_store.file',
    created_at: secondsOf(created_at),
    vector_store_id: storeIdOf(store_id),
    usage_bytes: status === 'completed' ? bytes_size : 0,
    status,
    last_error: error,
    attributes,
    chunking_strategy: {
      type: 'static',
      static: { max_chunk_size_tokens: chunk_tokens, chunk_overlap_tokens: chunk_overlap },
    },
    filename: name,
  }
}

export const toFileBatch = ({ id, store_id, created_at, status, file_counts }: FileBatch): z.output<typeof FileBatchObject> => ({
  id: batchIdOf(id),
  object: 'vector_store.files_batch',
  created_at: secondsOf(created_at),
  vector_store_id: storeIdOf(store_id),
  status,
  file_counts: withTotal(file_counts),
})
