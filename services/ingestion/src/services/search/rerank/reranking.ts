import type { RerankReport, SearchQuery } from '@youworker/contracts/documents/search'
import { AppError } from '@youworker/contracts/errors'
import type { Logger } from '@youworker/runtime/logger'
import { timeLeft } from '@youworker/runtime/timing/deadline'
import { plainQuery, type ParsedQuery } from '../../../analysis/query.ts'
import type { ChunkHit } from '../../../repositories/search-repository.ts'
import type { FoundChunk } from '../hit-view.ts'
import { type Reranker, RerankTimeout } from './reranker.ts'

interface Ordered {
  readonly hits: readonly FoundChunk[]
  /** Missing when nothing was put to the model. */
  readonly rerank?: RerankReport
}

interface Asked {
  readonly query: Pick<SearchQuery, 'rerank' | 'offset' | 'diversity'>
  readonly asked: ParsedQuery
  readonly signal: AbortSignal
  /** With their texts those that still count. */
  readonly whole: (hits: readonly FoundChunk[]) => Promise<readonly FoundChunk<ChunkHit>[]>
}

/** In UTF-16 units of one passage with its headings; models read less than this. */
const MAX_TEXT = 4_000

/** Puts the best hits into the order of the reranker, if there is one. A search never fails because of it. */
export class Reranking {
  readonly #reranker: Reranker | undefined
  readonly #logger: Logger

  constructor(reranker: Reranker | undefined, logger: Logger) {
    this.#reranker = reranker
    this.#logger = logger
  }

  /** Most hits that are put to the model; always the same ones, so that pages of one search fit together. */
  get candidates(): number {
    return this.#reranker?.candidates ?? 0
  }

  async order(hits: readonly FoundChunk[], { query, asked, signal, whole }: Asked): Promise<Ordered> {
    const reranker = this.#reranker
    const best = hits.slice(0, this.candidates)
    if (!reranker || !query.rerank || best.length < 2) return { hits }
    const rest = hits.slice(best.length)
    // What stands behind them stays where it is.
    if (query.diversity === 0 && query.offset >= best.length) return { hits: [...best, ...rest.map(behind)] }
    const started = performance.now()
    const report = (outcome: RerankReport['outcome']): RerankReport => ({
      outcome,
      candidates: best.length,
      took_ms: Math.round((performance.now() - started) * 10) / 10,
    })
    try {
      const timeoutMs = Math.max(1, Math.floor(Math.min(reranker.timeoutMs, timeLeft() / 2)))
      const read = await whole(best)
      const scores = await reranker.rerank(plainQuery(asked), read.map(textOf), { signal, timeoutMs })
      return { hits: [...byScores(read, scores), ...rest.map(behind)], rerank: report('reranked') }
    } catch (error) {
      if (signal.aborted || !(error instanceof AppError)) throw error
      this.#logger.warn({ code: error.code, err: error }, 'hits were answered in the order of before, without the reranker')
      return { hits, rerank: report(outcomeOf(error)) }
    }
  }
}

function outcomeOf(error: AppError): RerankReport['outcome'] {
  if (error instanceof RerankTimeout) return 'timed_out'
  return error.code === 'LLM_ERROR' ? 'refused' : 'unavailable'
}

function textOf({ row: { title_path, text } }: FoundChunk<ChunkHit>): string {
  const headings = title_path.join(' > ')
  return (headings === '' ? text : `${headings}\n\n${text}`).slice(0, MAX_TEXT)
}

/** The model's best first, those without a score in their order behind them. Scores come from 0.5 to 1, whatever the model's scale. */
function byScores(hits: readonly FoundChunk[], scores: readonly (number | undefined)[]): FoundChunk[] {
  const isShare = scores.every((score) => score === undefined || (score >= 0 && score <= 1))
  const scored = hits.map((hit, n): FoundChunk => {
    const score = scores[n]
    if (score === undefined) return behind(hit)
    const share = isShare ? score : 1 / (1 + Math.exp(-score))
    return { ...hit, ranked: { ...hit.ranked, score: 0.5 + share / 2, rerank_score: score } }
  })
  const worth = ({ ranked: { rerank_score = -Infinity } }: FoundChunk) => rerank_score
  return scored.toSorted((a, b) => (worth(a) === worth(b) ? 0 : worth(b) - worth(a)))
}

const behind = (hit: FoundChunk): FoundChunk => ({ ...hit, ranked: { ...hit.ranked, score: hit.ranked.score / 2 } })
