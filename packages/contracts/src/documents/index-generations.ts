import { z } from 'zod'
import { Time } from '../common.ts'
import { request } from '../define.ts'

const Count = z.number().int().min(0)

export const IndexAdapterName = z.enum(['embedded', 'qdrant'])
export type IndexAdapterName = z.infer<typeof IndexAdapterName>
export const GenerationState = z.enum(['building', 'active', 'retired', 'erased'])
export type GenerationState = z.infer<typeof GenerationState>

export const IndexGeneration = z
  .object({
    number: Count,
    adapter: IndexAdapterName,
    embed_model: z.string(),
    state: GenerationState.meta({ description: 'The active one is searched; a retired one is erased soon.' }),
    progress: z
      .object({ current: Count, total: Count, stage: z.string().nullable() })
      .optional()
      .meta({ description: 'While it is filled: passages that it has, and all.' }),
    problem: z.string().optional().meta({ description: 'What keeps it from being filled; it is tried again all the time.' }),
    created_at: Time,
    activated_at: Time.nullable(),
    retired_at: Time.nullable(),
  })
  .meta({ id: 'IndexGeneration' })
export type IndexGeneration = z.infer<typeof IndexGeneration>

export const IndexStatus = z
  .object({ generations: z.array(IndexGeneration).meta({ description: 'Newest first, at most the last 20.' }) })
  .meta({ id: 'IndexStatus' })
export type IndexStatus = z.infer<typeof IndexStatus>

export const IndexMigration = z.object({ to: IndexAdapterName })

export const indexGenerations = {
  /** Only for root, like the other two. */
  getIndex: request('rpc.ingestion.v1.index.get', { input: z.object({}), output: IndexStatus, repeatable: true }),
  /** Begins to fill another index; searches go on in the present one until it is complete. */
  migrateIndex: request('rpc.ingestion.v1.index.migrate', {
    input: IndexMigration,
    output: IndexStatus,
    errors: ['CONFLICT'],
    repeatable: true,
  }),
  /** Drops the index that is being filled. */
  cancelIndexBuild: request('rpc.ingestion.v1.index.cancel', {
    input: z.object({}),
    output: IndexStatus,
    errors: ['CONFLICT'],
    repeatable: true,
  }),
} as const
