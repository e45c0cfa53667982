import { z } from 'zod'
import { Embedding } from '../agent/model.ts'
import { Id, SpokenTime, Tags, Time } from '../common.ts'
import { request } from '../define.ts'
import { AttributeFilter, Attributes } from './attribute-filter.ts'
import { WAIT } from '../limits.ts'

/** The collection of examples, such as the project's own docs: a search finds them only if it names it, or while the caller has no other document. */
export const EXAMPLES = 'youworker-examples'

/** So far down a list of hits can be read. */
export const DEEPEST_HIT = 1_000
const Position = z.number().int().min(0)

export const SearchMode = z.enum(['hybrid', 'dense', 'lexical'])
export const SearchQuery = z
  .object({
    query: z
      .string()
      .trim()
      .min(1)
      .max(4_000)
      .meta({ description: 'Words; "words in quotes" stand together in every hit, and -words in none.' }),
    top_k: z.number().int().min(1).max(100).default(10),
    offset: Position.max(DEEPEST_HIT - 1)
      .default(0)
      .meta({ description: 'How many of the best hits are passed over, as in `next_offset`.' }),
    collection: z.string().max(128).optional(),
    collection_ids: z.array(Id).min(1).max(16).optional().meta({ description: 'Only files of these collections.' }),
    filters: AttributeFilter.optional().meta({ description: 'Only files of these collections whose attributes pass.' }),
    tags: Tags.optional().meta({ description: 'Only documents with any of them.' }),
    group_id: Id.optional(),
    space_id: Id.optional().meta({ description: "Only this space: the id of a group, or the caller's own." }),
    mime: z.string().max(255).optional().meta({ description: 'Only files of this type; `image/*` takes all of a kind.' }),
    document_ids: z.array(Id).min(1).max(100).optional().meta({ description: 'Only these documents.' }),
    ingested_after: Time.optional(),
    ingested_before: Time.optional(),
    mode: SearchMode.default('hybrid'),
    context: z
      .number()
      .int()
      .min(0)
      .max(5)
      .default(0)
      .meta({ description: 'So many passages before and after each hit come along.' }),
    diversity: z
      .number()
      .min(0)
      .max(1)
      .default(0)
      .meta({ description: 'How much a hit that repeats those above it is put back; 0 not at all.' }),
    rerank: z
      .boolean()
      .default(true)
      .meta({ description: 'Whether the reranker of this system, if it has one, puts the best hits into order.' }),
  })
  .meta({ id: 'SearchQuery' })
export type SearchQuery = z.infer<typeof SearchQuery>

export const SearchHit = z.object({
  document_id: Id,
  chunk_id: Id,
  title: z.string(),
  uri: z.string(),
  /** First page of the chunk, from 1; only for paged formats. */
  page: z.number().int().optional(),
  time: SpokenTime.optional(),
  /** Headings from the document's top to the chunk. */
  title_path: z.array(z.string()).optional(),
  /** Where the passage begins and ends in the text of the document, in UTF-16 units; of versions that tell it. */
  start: z.number().int().optional(),
  end: z.number().int().optional(),
  score: z.number(),
  dense_score: z.number().optional(),
  lexical_score: z.number().optional(),
  rerank_score: z.number().optional().meta({ description: "The reranker's own, on its own scale; higher is better." }),
  snippet: z.string(),
  text: z.string(),
  file: z
    .object({ name: z.string(), attributes: Attributes })
    .optional()
    .meta({ description: 'Of a search in collections by their ids.' }),
  language: z.string().optional().meta({ description: 'ISO 639-1, where it is known.' }),
  highlights: z
    .array(z.object({ start: Position, end: Position }))
    .optional()
    .meta({ description: 'Where the text has words of the question; offsets in UTF-16 units.' }),
  also_in: z
    .array(z.object({ document_id: Id, chunk_id: Id, title: z.string(), uri: z.string() }))
    .optional()
    .meta({ description: 'Other passages with the same text.' }),
  context: z
    .array(z.object({ chunk_id: Id, position: z.number().int(), text: z.string() }))
    .optional()
    .meta({ description: 'Passages around this one; `position` -1 stands right before it.' }),
})
export type SearchHit = z.infer<typeof SearchHit>

/** What became of a search's reranking. Without `reranked` the hits stand in the order of before. */
export const RerankReport = z.object({
  outcome: z.enum(['reranked', 'timed_out', 'unavailable', 'refused']),
  candidates: z.number().int().meta({ description: 'So many of the best hits were put to it.' }),
  took_ms: z.number(),
})
export type RerankReport = z.infer<typeof RerankReport>

/** What a search could not look at. */
export const LeftOut = z.enum(['groups', 'index'])
export type LeftOut = z.infer<typeof LeftOut>
/** For models. */
export const LEFT_OUT: Readonly<Record<LeftOut, string>> = {
  groups: 'Only the documents of the user were searched: those of their groups could not be.',
  index: 'Some documents could not be searched: they are still being put into the search index.',
}

export const SearchAnswer = z
  .object({
    results: z.array(SearchHit),
    took_ms: z.number(),
    rerank: RerankReport.optional().meta({ description: 'Only when hits were put to a reranker.' }),
    incomplete: z.array(LeftOut).optional().meta({
      description:
        '`groups`: only your own documents were searched, because the group service did not answer. `index`: some documents are still being put into the search index.',
    }),
    words_only: z
      .literal(true)
      .optional()
      .meta({ description: 'The embedding model did not answer, so a hybrid search went by words alone.' }),
    next_offset: Position.optional().meta({ description: 'For `offset` of the next page, when there may be one.' }),
  })
  .meta({ id: 'SearchAnswer' })
export type SearchAnswer = z.infer<typeof SearchAnswer>

/** Most spaces that an answer names. */
const MOST_SPACES = 200
/** All spaces in which was looked. Missing when there are too many, or when the search could not do all that it should. */
export const SearchedSpaces = z.array(Id).max(MOST_SPACES).optional()
export const namedSpaces = (ids: readonly string[]): string[] | undefined => (ids.length > MOST_SPACES ? undefined : [...ids])

export const searches = {
  search: request('rpc.ingestion.v1.search.query', {
    audience: ['api', 'run'],
    // A run's token has the scopes of the key that started the run.
    scopes: ['documents', 'documents:read'],
    input: SearchQuery,
    output: SearchAnswer.extend({ searched: SearchedSpaces }),
    errors: ['GROUP_NOT_FOUND', 'COLLECTION_NOT_FOUND', 'LLM_ERROR'],
    deadlineMs: WAIT.slowRequest,
    repeatable: true,
  }),
  embedTexts: request('rpc.ingestion.v1.embedding.create', {
    ...Embedding,
    scopes: ['chat', 'documents', 'documents:read'],
    errors: ['LLM_ERROR'],
    deadlineMs: WAIT.slowRequest,
  }),
} as const
