import { Id, Line, Metadata } from '@youworker/contracts/common'
import { AttributeFilter, Attributes } from '@youworker/contracts/documents/attribute-filter'
import { z } from 'zod'
import { documentIdOf } from '../files/file-ids.ts'
import { rowQuery } from '../files/row-list.ts'

const FileId = z.string().max(200)
const MAX_BATCH = 2_000

/** Taken as OpenAI's clients send it. The installation decides how files are cut, and files say how they were. */
const ChunkingStrategy = z.union([
  z.object({ type: z.literal('auto') }),
  z.object({
    type: z.literal('static'),
    static: z
      .object({
        max_chunk_size_tokens: z.number().int().min(100).max(4_096),
        chunk_overlap_tokens: z.number().int().min(0),
      })
      .refine(
        ({ max_chunk_size_tokens: most, chunk_overlap_tokens: overlap }) => overlap <= most / 2,
        'chunk_overlap_tokens is at most half of max_chunk_size_tokens',
      ),
  }),
])

const ExpiresAfter = z.object({ anchor: z.literal('last_active_at'), days: z.number().int().min(1).max(365) })
/** An empty one is none. */
const Name = z.literal('').or(Line(256))

export const StoreBody = z
  .object({
    name: Name.nullish(),
    description: z.string().max(512).nullish(),
    file_ids: z.array(FileId).max(MAX_BATCH).nullish(),
    chunking_strategy: ChunkingStrategy.nullish(),
    expires_after: ExpiresAfter.nullish(),
    metadata: Metadata.nullish(),
    group_id: Id.nullish().meta({ description: 'A group whose members use it.' }),
  })
  .meta({ id: 'NewVectorStore' })

export const StoreChanges = z
  .object({
    name: Name.nullish(),
    description: z.string().max(512).nullish(),
    expires_after: ExpiresAfter.nullish(),
    metadata: Metadata.nullish(),
  })
  .meta({ id: 'VectorStoreChanges' })

export const StoreFileBody = z
  .object({ file_id: FileId, attributes: Attributes.nullish(), chunking_strategy: ChunkingStrategy.nullish() })
  .meta({ id: 'NewVectorStoreFile' })

export const BatchBody = z
  .object({
    file_ids: z.array(FileId).min(1).max(MAX_BATCH).nullish(),
    files: z.array(StoreFileBody).min(1).max(MAX_BATCH).nullish(),
    attributes: Attributes.nullish(),
    chunking_strategy: ChunkingStrategy.nullish(),
  })
  .refine(({ file_ids, files }) => (file_ids == null) !== (files == null), 'takes file_ids or files, one of them')
  .meta({ id: 'NewVectorStoreFileBatch' })

const Query = z.string().trim().min(1).max(4_000)
export const StoreSearchBody = z
  .object({
    query: z.union([Query, z.array(Query).min(1).max(8)]),
    filters: AttributeFilter.nullish(),
    max_num_results: z.number().int().min(1).max(50).nullish(),
    ranking_options: z
      .object({
        ranker: z.enum(['none', 'auto', 'default-2024-11-15']).nullish(),
        score_threshold: z.number().min(0).max(1).nullish(),
      })
      .nullish(),
    rewrite_query: z.boolean().nullish().meta({ description: 'A question is searched as it is.' }),
  })
  .meta({ id: 'VectorStoreSearch' })

export const StoreRowQuery = rowQuery({ most: 100, usual: 20 }).extend({ before: z.string().max(200).optional() })

interface NewFile {
  readonly file_id: string
  readonly attributes?: Attributes | null | undefined
}
export const toNewFile = ({ file_id, attributes }: NewFile) => ({
  file_id: documentIdOf(file_id),
  ...(attributes == null ? {} : { attributes }),
})
