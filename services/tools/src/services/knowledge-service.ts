import { AppError, type ErrorCode } from '@youworker/contracts/errors'
import type { ingestion } from '@youworker/contracts/ingestion'
import type { HandlerOutput } from '@youworker/contracts/define'
import { LEFT_OUT, type LeftOut } from '@youworker/contracts/documents/search'
import type { SearchHit, SearchQuery } from '@youworker/contracts/documents/search'

interface SearchScope {
  readonly caller: { readonly token: string }
  readonly correlationId: string
  readonly traceparent: string
  readonly signal: AbortSignal
}

type Searched = HandlerOutput<typeof ingestion.search>

/** Search with the rights of the caller. */
export interface DocumentSearch {
  search(query: SearchQuery, scope: SearchScope): Promise<Searched>
}

/** Of a hit: scores that only help to tune the search, and what only helps to show it. */
export const NOT_FOR_MODELS = { dense_score: true, lexical_score: true, highlights: true, language: true, context: true } as const
export type KnowledgeHit = Omit<SearchHit, keyof typeof NOT_FOR_MODELS>

const UNAVAILABLE: ReadonlySet<ErrorCode> = new Set([
  'SERVICE_UNAVAILABLE',
  'CIRCUIT_OPEN',
  'DEADLINE_EXCEEDED',
  'LLM_ERROR',
  'DATABASE_ERROR',
])

export class KnowledgeService {
  readonly #documents: DocumentSearch

  constructor(documents: DocumentSearch) {
    this.#documents = documents
  }

  async search(
    query: SearchQuery,
    scope: SearchScope,
  ): Promise<Pick<Searched, 'searched' | 'incomplete'> & { hits: KnowledgeHit[] }> {
    const { results, searched, incomplete } = await this.#documents.search(query, scope).catch((error: unknown) => {
      throw explain(error)
    })
    return {
      hits: results.map(({ dense_score: _d, lexical_score: _l, highlights: _h, language: _g, context: _c, ...hit }) => hit),
      searched,
      incomplete,
    }
  }
}

/** Replaces the message by one that a model may pass on to the user. */
function explain(cause: unknown): unknown {
  if (!(cause instanceof AppError)) return cause
  const { code, retryAfter } = cause
  const again = retryAfter === undefined ? {} : { retryAfter }
  if (UNAVAILABLE.has(code))
    return new AppError(code, 'The search in the documents does not answer at the moment; try again in a little while.', {
      cause,
      ...again,
    })
  if (code === 'GROUP_NOT_FOUND')
    return new AppError(code, 'There is no such group; leave group_id out to search everything.', { cause })
  return cause
}

/** One block per passage: `[n] title, p. N`, then the text. What was left out is said at the end. */
export function formatHits(hits: readonly KnowledgeHit[], leftOut: readonly LeftOut[] = []): string {
  if (leftOut.length > 0) return [formatHits(hits), ...leftOut.map((what) => LEFT_OUT[what])].join('\n\n')
  if (hits.length === 0) return 'No passage was found in the documents.'
  return hits
    .map(({ title, page, text }, index) => `[${index + 1}] ${title}${page === undefined ? '' : `, p. ${page}`}\n${text.trim()}`)
    .join('\n\n')
}
