import type { SearchMode } from '@youworker/contracts/documents/search'
import type { z } from 'zod'
import type { Candidate, Candidates } from '../search-index.ts'
import type { Trust } from './embedding-trust.ts'

type Mode = z.infer<typeof SearchMode>

export interface Ranked {
  readonly chunk_id: string
  /** From 0 to 1. */
  readonly score: number
  /** Cosine similarity. */
  readonly dense_score?: number
  /** BM25; higher is better, without an upper bound. */
  readonly lexical_score?: number
  /** Of a reranker, on its own scale. */
  readonly rerank_score?: number
}

/** Cormack, Clarke and Büttcher, SIGIR 2009: the constant of reciprocal rank fusion. */
const K = 60

/**
 * What stands further down a list does not move what is above it, or a page would change with the depth that the next one needs. The
 * lists that a search begins with are as long.
 */
const LAYER = 50

/**
 * One order from both lists. A model without trust puts nothing above a passage that has words of the question, and answers nothing
 * alone. Equal scores are ordered by similarity, then by id, so that the same search always returns the same order.
 */
export function rank(mode: Mode, { dense, lexical }: Candidates, trust: Trust): Ranked[] {
  const similar = best(dense).filter(({ score }) => score >= trust.floor)
  const worded = best(lexical)
  if (mode === 'hybrid' && trust.weight === 0 && worded.length === 0) return []
  const whole = fused(mode, similar, worded, trust)
  if (mode !== 'hybrid' || trust.weight === 0) return inOrder([...whole.values()])
  const first = inOrder([...fused(mode, similar.slice(0, LAYER), worded.slice(0, LAYER), trust).values()])
  const isFirst = new Set(first.map(({ chunk_id }) => chunk_id))
  const least = first.at(-1)?.score ?? 1
  const later = inOrder([...whole.values()].filter(({ chunk_id }) => !isFirst.has(chunk_id)))
  return [
    ...first.map((each) => ({ ...whole.get(each.chunk_id), ...each })),
    ...later.map((each) => ({ ...each, score: Math.min(least, each.score) })),
  ]
}

function fused(mode: Mode, similar: readonly Candidate[], worded: readonly Candidate[], trust: Trust): Map<string, Ranked> {
  const shareOf = sharesOf(mode, worded[0]?.score ?? 0, trust)
  const ranked = new Map<string, Ranked>()
  const fills = mode === 'hybrid' && trust.weight === 0
  worded.forEach(({ chunk_id, score }, index) => {
    ranked.set(chunk_id, { chunk_id, score: shareOf.lexical(score, index), lexical_score: score })
  })
  similar.forEach(({ chunk_id, score }, index) => {
    const before = ranked.get(chunk_id)
    const share = before && fills ? 0 : shareOf.dense(score, index)
    ranked.set(chunk_id, { ...before, chunk_id, score: (before?.score ?? 0) + share, dense_score: score })
  })
  return ranked
}

const inOrder = (ranked: readonly Ranked[]): Ranked[] =>
  ranked.toSorted(
    (a, b) => b.score - a.score || (b.dense_score ?? -1) - (a.dense_score ?? -1) || (a.chunk_id < b.chunk_id ? -1 : 1),
  )

type Share = (score: number, index: number) => number

/** What each list adds to a score, so that the best possible is 1. */
function sharesOf(mode: Mode, top: number, { weight }: Trust): { lexical: Share; dense: Share } {
  const ofTop: Share = (score) => score / (top || 1)
  const similarity: Share = (score) => Math.min(1, Math.max(0, score))
  if (mode !== 'hybrid') return { lexical: ofTop, dense: similarity }
  if (weight === 0) return { lexical: (score) => 0.5 + ofTop(score, 0) / 2, dense: (score) => similarity(score, 0) / 2 }
  const byRank = (index: number) => (K + 1) / ((1 + weight) * (K + 1 + index))
  return { lexical: (_score, index) => byRank(index), dense: (_score, index) => weight * byRank(index) }
}

const best = (candidates: readonly Candidate[]): Candidate[] =>
  candidates.toSorted((a, b) => b.score - a.score || (a.chunk_id < b.chunk_id ? -1 : 1))
