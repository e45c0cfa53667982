import type { SearchMode } from '@youworker/contracts/documents/search'
import type { z } from 'zod'
import type { Candidate, Candidates } from './search-index.ts'

type Mode = z.infer<typeof SearchMode>

export interface Ranked {
  readonly chunk_id: string
  /** From 0 to 1. */
  readonly score: number
  /** Cosine similarity. */
  readonly dense_score?: number
  /** BM25; higher is better, without an upper bound. */
  readonly lexical_score?: number
}

/** Cormack, Clarke and Büttcher, SIGIR 2009: the constant of reciprocal rank fusion. */
const K = 60

/** One order from both lists. Equal scores are ordered by similarity, then by id, so that the same search always returns the same order. */
export function rank(mode: Mode, { dense, lexical }: Candidates): Ranked[] {
  const denseBest = best(dense)
  const lexicalBest = best(lexical)
  const top = lexicalBest[0]?.score ?? 0
  const ranked = new Map<string, Ranked>()
  denseBest.forEach(({ chunk_id, score }, index) => {
    const share = mode === 'hybrid' ? fused(index) : Math.min(1, Math.max(0, score))
    ranked.set(chunk_id, { chunk_id, score: share, dense_score: score })
  })
  lexicalBest.forEach(({ chunk_id, score }, index) => {
    const before = ranked.get(chunk_id)
    const share = mode === 'hybrid' ? fused(index) : score / (top || 1)
    ranked.set(chunk_id, { ...before, chunk_id, score: (before?.score ?? 0) + share, lexical_score: score })
  })
  return [...ranked.values()].sort(
    (a, b) => b.score - a.score || (b.dense_score ?? -1) - (a.dense_score ?? -1) || (a.chunk_id < b.chunk_id ? -1 : 1),
  )
}

/** A first rank gives 0.5, so that first in both lists is 1. */
const fused = (index: number): number => (K + 1) / (2 * (K + 1 + index))

const best = (candidates: readonly Candidate[]): Candidate[] =>
  candidates.toSorted((a, b) => b.score - a.score || (a.chunk_id < b.chunk_id ? -1 : 1))
