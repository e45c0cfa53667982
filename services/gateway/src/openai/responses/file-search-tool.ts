import type { FileSearch } from '@youworker/contracts/agent/file-search'
import { AttributeFilter } from '@youworker/contracts/documents/attribute-filter'
import { z } from 'zod'
import { refusal } from '../../protocols/run-input.ts'
import { collectionIdOf } from '../files/file-ids.ts'

export const FileSearchTool = z.object({
  type: z.literal('file_search'),
  vector_store_ids: z.array(z.string().max(200)).min(1).max(16),
  max_num_results: z.number().int().min(1).max(50).nullish(),
  filters: AttributeFilter.nullish(),
  ranking_options: z
    .object({ ranker: z.string().max(64).nullish(), score_threshold: z.number().min(0).max(1).nullish() })
    .nullish(),
})

interface Asked {
  readonly tools: readonly ({ readonly type: string } | z.output<typeof FileSearchTool>)[]
  readonly choice: string | { readonly type: string; readonly tools?: readonly { readonly type: string }[] }
  readonly include: readonly string[]
}

const RESULTS = 'file_search_call.results'

/** Where the run may search, if the request names vector stores and lets the model use the tool. */
export function fileSearchIn({ tools, choice, include }: Asked): FileSearch | undefined {
  const named = tools.flatMap((tool) => ('vector_store_ids' in tool ? [tool] : []))
  if (named.length > 1) throw refusal('tools', 'One tool of the type file_search can name all vector stores')
  const [tool] = named
  if (!tool || !isChosen(choice)) return undefined
  const { vector_store_ids, filters, max_num_results: top_k, ranking_options } = tool
  const min_score = ranking_options?.score_threshold
  return {
    collection_ids: [...new Set(vector_store_ids.map(collectionIdOf))],
    ...(filters == null ? {} : { filters }),
    ...(top_k == null ? {} : { top_k }),
    ...(min_score == null ? {} : { min_score }),
    ...(include.includes(RESULTS) ? { with_results: true } : {}),
  }
}

function isChosen(choice: Asked['choice']): boolean {
  if (typeof choice === 'string') return choice !== 'none'
  return choice.type === 'file_search' || (choice.tools ?? []).some(({ type }) => type === 'file_search')
}
