import type { Candidate, Candidates } from '../../services/search/search-index.ts'

/** Candidates as they are sent between threads: three values are copied in place of hundreds of objects. */
interface CandidateList {
  readonly ids: string
  readonly generations: Float64Array
  readonly scores: Float64Array
}

export interface CandidateLists {
  readonly dense: CandidateList
  readonly lexical: CandidateList
}

export const packed = ({ dense, lexical }: Candidates): CandidateLists => ({ dense: listOf(dense), lexical: listOf(lexical) })

export const unpacked = ({ dense, lexical }: CandidateLists): Candidates => ({
  dense: candidatesOf(dense),
  lexical: candidatesOf(lexical),
})

const listOf = (candidates: readonly Candidate[]): CandidateList => ({
  ids: candidates.map(({ chunk_id }) => chunk_id).join(' '),
  generations: Float64Array.from(candidates, ({ generation }) => generation),
  scores: Float64Array.from(candidates, ({ score }) => score),
})

const candidatesOf = ({ ids, generations, scores }: CandidateList): Candidate[] =>
  scores.length === 0
    ? []
    : ids.split(' ').map((chunk_id, n) => ({ chunk_id, generation: generations[n] ?? 0, score: scores[n] ?? 0 }))
