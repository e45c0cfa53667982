import { z } from 'zod'
import { Id } from '../common.ts'
import { request } from '../define.ts'
import { WAIT } from '../limits.ts'

const Count = z.number().int().min(0)

export const Difference = z.object({
  space_id: Id.nullable().meta({ description: 'Null for what is of no one space.' }),
  kind: z
    .enum([
      'stale_chunks',
      'incomplete_documents',
      'missing_vectors',
      'orphan_vectors',
      'orphan_files',
      'damaged_files',
      'missing_entries',
      'orphan_entries',
      'wrong_generations',
      'entries_without_vector',
      'unknown_spaces',
      'unknown_indexes',
    ])
    .meta({
      description:
        'Entries are those of the search index; `unknown_spaces` and `unknown_indexes` are what indexes have of spaces and of indexes that there are not; the others are rows. `incomplete_documents` and `damaged_files` are repaired only by uploading the file again.',
    }),
  count: Count,
  repaired: z.boolean(),
})
export type Difference = z.infer<typeof Difference>

export const IndexCheck = z
  .object({
    spaces: Count,
    documents: Count,
    chunks: Count,
    differences: z.array(Difference),
    next_after: Id.optional().meta({ description: 'For `after` of the next call, when there are more spaces.' }),
  })
  .meta({ id: 'IndexCheck' })
export type IndexCheck = z.infer<typeof IndexCheck>

export const IndexCheckInput = z.object({ repair: z.boolean().default(false), after: Id.optional() })

export const indexChecks = {
  /** Compares documents, chunks, vectors, files and the search index, for as many spaces as it can in some seconds. Only for root. */
  checkIndex: request('rpc.ingestion.v1.index.check', {
    input: IndexCheckInput,
    output: IndexCheck,
    deadlineMs: WAIT.slowRequest,
    repeatable: true,
  }),
} as const
