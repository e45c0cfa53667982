import { Attributes } from '@youworker/contracts/documents/attribute-filter'
import type { SearchHit } from '@youworker/contracts/documents/search'
import type { ingestion } from '@youworker/contracts/ingestion'
import type { Client } from '@youworker/messaging/requests/client'
import { z } from 'zod'
import { fileIdOf } from '../files/file-ids.ts'
import type { StoreSearchBody } from './store-bodies.ts'

export const StoreSearchAnswer = z
  .object({
    object: z.literal('vector_store.search_results.page'),
    search_query: z.array(z.string()),
    data: z.array(
      z.object({
        file_id: z.string(),
        filename: z.string(),
        score: z.number(),
        attributes: Attributes,
        content: z.array(z.object({ type: z.literal('text'), text: z.string() })),
      }),
    ),
    has_more: z.boolean(),
    next_page: z.null(),
  })
  .meta({ id: 'VectorStoreSearchAnswer' })

const USUAL_RESULTS = 10

/** Several questions are asked one by one; of a passage that answers some of them its best score counts. */
export async function searchStore(
  collectionId: string,
  { query, filters, max_num_results, ranking_options }: z.output<typeof StoreSearchBody>,
  client: Client<typeof ingestion>,
): Promise<z.output<typeof StoreSearchAnswer>> {
  const questions = [query].flat()
  const top_k = max_num_results ?? USUAL_RESULTS
  const best = new Map<string, SearchHit>()
  let hasMore = false
  for (const question of questions) {
    const asked = { query: question, top_k, collection_ids: [collectionId], filters: filters ?? undefined }
    const { results, next_offset } = await client.search(asked)
    hasMore ||= next_offset !== undefined
    for (const hit of results) if ((best.get(hit.chunk_id)?.score ?? -1) < hit.score) best.set(hit.chunk_id, hit)
  }
  const floor = ranking_options?.score_threshold ?? 0
  const hits = [...best.values()].filter(({ score }) => score >= floor).toSorted((a, b) => b.score - a.score)
  return {
    object: 'vector_store.search_results.page',
    search_query: questions,
    data: hits.slice(0, top_k).map(toResult),
    has_more: hasMore || hits.length > top_k,
    next_page: null,
  }
}

const toResult = ({ document_id, title, score, text, file }: SearchHit): z.output<typeof StoreSearchAnswer>['data'][number] => ({
  file_id: fileIdOf(document_id),
  filename: file?.name ?? title,
  score,
  attributes: file?.attributes ?? {},
  content: [{ type: 'text', text }],
})
