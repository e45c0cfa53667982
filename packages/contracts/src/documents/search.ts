import { z } from 'zod'
import { Embedding } from '../agent/model.ts'
import { Id, Tags } from '../common.ts'
import { request } from '../define.ts'
import { WAIT } from '../limits.ts'

/** The collection of examples, such as the project's own docs: a search finds them only if it names it, or while the caller has no other document. */
export const EXAMPLES = 'youworker-examples'

export const SearchMode = z.enum(['hybrid', 'dense', 'lexical'])
export const SearchQuery = z
  .object({
    query: z.string().trim().min(1).max(4_000),
    top_k: z.number().int().min(1).max(50).default(10),
    collection: z.string().max(128).optional(),
    tags: Tags.optional(),
    group_id: Id.optional(),
    mode: SearchMode.default('hybrid'),
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
  /** Headings from the document's top to the chunk. */
  title_path: z.array(z.string()).optional(),
  score: z.number(),
  dense_score: z.number().optional(),
  lexical_score: z.number().optional(),
  snippet: z.string(),
  text: z.string(),
})
export type SearchHit = z.infer<typeof SearchHit>
export const SearchAnswer = z.object({ results: z.array(SearchHit), took_ms: z.number() }).meta({ id: 'SearchAnswer' })
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
    errors: ['GROUP_NOT_FOUND', 'LLM_ERROR'],
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
