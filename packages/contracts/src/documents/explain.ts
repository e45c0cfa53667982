import { z } from 'zod'
import { Id } from '../common.ts'
import { request } from '../define.ts'
import { WAIT } from '../limits.ts'
import { RerankReport, SearchQuery } from './search.ts'

export const ExplainQuery = SearchQuery.omit({ collection_ids: true, filters: true })
  .extend({
    document_id: Id.meta({ description: 'The document of which is asked why it was or was not returned.' }),
    as_user_id: Id.optional().meta({
      description: 'Only for root: as this user would have found it. No text is shown, and it is audited.',
    }),
  })
  .meta({ id: 'ExplainQuery' })
export type ExplainQuery = z.infer<typeof ExplainQuery>

/** The first of these that holds; the best passage of the document decides. */
export const Verdict = z.enum([
  'returned',
  'folded_into_another',
  'deleted',
  'space_not_readable',
  'space_not_asked',
  'filtered_out',
  'example_left_out',
  'not_indexed_yet',
  'phrase_missing',
  'excluded_word',
  'no_word_in_common',
  'below_floor',
  'below_cut_off',
])
export type Verdict = z.infer<typeof Verdict>

const Side = z.object({
  rank: z.number().int().min(1).optional().meta({ description: 'Among all passages that were looked at; missing below them.' }),
  score: z.number(),
})

export const ExplainedChunk = z.object({
  chunk_id: Id,
  index: z.number().int(),
  language: z.string().optional(),
  lexical: Side.optional().meta({ description: 'BM25 of the words of the question, and of those that widened it.' }),
  dense: Side.optional().meta({ description: 'Cosine similarity of the vectors.' }),
  reranked: Side.optional().meta({ description: 'The order and the scores of the reranker.' }),
  fused: Side.optional().meta({ description: 'The order that was answered.' }),
  folded_into: z
    .object({ document_id: Id, chunk_id: Id })
    .optional()
    .meta({ description: 'The passage with the same text that stands for this one, whose `also_in` names it.' }),
  has_phrases: z.boolean(),
  has_excluded_word: z.boolean(),
})

export const Explanation = z
  .object({
    document_id: Id,
    verdict: Verdict,
    because: z.string().meta({ description: 'The same in a sentence, with what to do.' }),
    space: z.object({ id: Id.optional(), is_readable: z.boolean(), is_asked: z.boolean() }),
    failed_filters: z.array(z.string()),
    terms: z.array(
      z.object({
        forms: z.array(z.string()),
        use: z.enum(['should', 'must', 'not']),
        weight: z.number(),
        chunks: z.number().int().meta({ description: 'So many passages of the space have it.' }),
      }),
    ),
    embedding: z.object({
      weight: z.number().meta({ description: 'How far the model is trusted: 0 only fills up below words, 1 counts as they do.' }),
      floor: z.number().meta({ description: 'Less similar passages are taken for unrelated.' }),
    }),
    rerank: RerankReport.optional().meta({ description: 'Only when hits were put to a reranker.' }),
    cut_off: z.object({ from: z.number().int(), to: z.number().int(), ranked: z.number().int() }),
    chunks: z.array(ExplainedChunk).meta({ description: 'The best passages of the document, at most 20.' }),
  })
  .meta({ id: 'Explanation' })
export type Explanation = z.infer<typeof Explanation>

export const explanations = {
  explainSearch: request('rpc.ingestion.v1.search.explain', {
    scopes: ['documents', 'documents:read'],
    input: ExplainQuery,
    output: Explanation,
    errors: ['GROUP_NOT_FOUND', 'DOCUMENT_NOT_FOUND', 'LLM_ERROR'],
    deadlineMs: WAIT.slowRequest,
    repeatable: true,
  }),
} as const
