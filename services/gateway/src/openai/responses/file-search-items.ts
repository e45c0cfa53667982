import type { SearchMade } from '@youworker/contracts/agent/file-search'
import { Attributes } from '@youworker/contracts/documents/attribute-filter'
import { z } from 'zod'
import { fileIdOf } from '../files/file-ids.ts'

export const FileSearchCall = z.object({
  type: z.literal('file_search_call'),
  id: z.string(),
  status: z.enum(['in_progress', 'searching', 'completed', 'incomplete', 'failed']),
  queries: z.array(z.string()),
  results: z
    .array(
      z.object({
        file_id: z.string(),
        filename: z.string(),
        score: z.number(),
        text: z.string(),
        attributes: Attributes,
      }),
    )
    .nullable()
    .meta({ description: 'With `include: ["file_search_call.results"]`; long passages are cut.' }),
})
export type FileSearchCall = z.output<typeof FileSearchCall>

/** `n`: among the searches of the run. */
export const fileSearchOf = (
  runId: string,
  n: number,
  { query, results }: Pick<SearchMade, 'query' | 'results'>,
  status: FileSearchCall['status'],
): FileSearchCall => ({
  type: 'file_search_call',
  id: `fs_${runId}_${n}`,
  status,
  queries: [query],
  results:
    results?.map(({ document_id, name, score, text, attributes }) => {
      return { file_id: fileIdOf(document_id), filename: name, score, text, attributes }
    }) ?? null,
})

/** Of a run that has ended: a search that has not, did not come to its end. */
export const endedSearch = (runId: string, n: number, search: SearchMade): FileSearchCall =>
  fileSearchOf(runId, n, search, search.status === 'searching' ? 'incomplete' : search.status)
