import type { ExplainedChunk, Explanation } from '@youworker/contracts/documents/explain'
import type { z } from 'zod'
import type { ParsedQuery } from '../../../analysis/query.ts'
import type { ChunkHit } from '../../../repositories/search-repository.ts'
import type { FoundChunk } from '../hit-view.ts'
import { type Found, hasExcludedWord, hasPhrases, type SpaceQuery } from '../retrieval.ts'
import type { Candidate, Candidates, SearchIndex } from '../search-index.ts'

/** Passages of one document that are explained. */
export const MAX_SHOWN = 20

type Chunk = z.output<typeof ExplainedChunk>
type Side = NonNullable<Chunk['lexical']>

interface DocumentParts {
  /** The document's passages that the index has for the question. */
  readonly rows: readonly ChunkHit[]
  /** What the index answers when it is asked for the document alone. */
  readonly direct: Candidates
  /** What it answers to the whole search. */
  readonly found: Found
  readonly hits: readonly FoundChunk[]
  readonly asked: ParsedQuery
}

/** Where each passage of a document stands in the lists of a search, the best first. */
export function chunksOf({ rows, direct, found, hits, asked }: DocumentParts): Chunk[] {
  const lexical = sidesOf(direct.lexical, found.candidates.lexical)
  const dense = sidesOf(direct.dense, found.candidates.dense)
  const fused = new Map(
    hits.flatMap(({ ranked, row, twins }, index) =>
      [row, ...twins].map(({ chunk_id }): [string, Side] => [chunk_id, { rank: index + 1, score: ranked.score }]),
    ),
  )
  const reranked = rerankedSides(hits)
  const heads = new Map(hits.flatMap(({ row, twins }) => twins.map(({ chunk_id }) => [chunk_id, row])))
  const chunks = rows.map((row): Chunk => {
    const { chunk_id, index, language } = row
    const sides = {
      lexical: lexical.get(chunk_id),
      dense: dense.get(chunk_id),
      fused: fused.get(chunk_id),
      reranked: reranked.get(chunk_id),
    }
    const head = heads.get(chunk_id)
    const words = { has_phrases: hasPhrases(row, asked), has_excluded_word: hasExcludedWord(row, asked) }
    return {
      chunk_id,
      index,
      ...words,
      ...(language === null ? {} : { language }),
      ...(head === undefined ? {} : { folded_into: { document_id: head.document_id, chunk_id: head.chunk_id } }),
      ...(sides.lexical === undefined ? {} : { lexical: sides.lexical }),
      ...(sides.dense === undefined ? {} : { dense: sides.dense }),
      ...(sides.reranked === undefined ? {} : { reranked: sides.reranked }),
      ...(sides.fused === undefined ? {} : { fused: sides.fused }),
    }
  })
  return chunks.toSorted((a, b) => rankOf(a) - rankOf(b) || scoreOf(b) - scoreOf(a)).slice(0, MAX_SHOWN)
}

const rankOf = ({ fused }: Chunk): number => fused?.rank ?? Number.MAX_SAFE_INTEGER
const scoreOf = ({ lexical, dense }: Chunk): number => lexical?.score ?? dense?.score ?? 0

/** The scores of the document's own passages, with their ranks among those of all. */
function sidesOf(own: readonly Candidate[], all: readonly Candidate[]): Map<string, Side> {
  const order = all.toSorted((a, b) => b.score - a.score).map(({ chunk_id }) => chunk_id)
  return new Map(
    own.map(({ chunk_id, score }) => {
      const rank = order.indexOf(chunk_id) + 1
      return [chunk_id, rank === 0 ? { score } : { rank, score }]
    }),
  )
}

function rerankedSides(hits: readonly FoundChunk[]): Map<string, Side> {
  const scored = hits.flatMap(({ ranked: { rerank_score: score }, ...hit }) => (score === undefined ? [] : [{ ...hit, score }]))
  const sides = scored
    .toSorted((a, b) => b.score - a.score)
    .flatMap(({ row, twins, score }, n) =>
      [row, ...twins].map(({ chunk_id }): [string, Side] => [chunk_id, { rank: n + 1, score }]),
    )
  return new Map(sides)
}

/** The terms that a space was asked for, with how many of its passages have each. */
export async function termsOf(
  index: Pick<SearchIndex, 'frequencies'>,
  { space_id, terms }: SpaceQuery,
): Promise<Explanation['terms']> {
  const forms = terms.flatMap((term) => term.forms)
  const { counts } = await index.frequencies(space_id, forms)
  const countOf = new Map(forms.map((form, n) => [form, counts[n] ?? 0]))
  return terms.map((term) => ({
    forms: [...term.forms],
    use: term.use,
    weight: term.weight,
    chunks: term.forms.reduce((sum, form) => sum + (countOf.get(form) ?? 0), 0),
  }))
}
