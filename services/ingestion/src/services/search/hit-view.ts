import { spokenTime } from '@youworker/contracts/common'
import type { SearchHit } from '@youworker/contracts/documents/search'
import { LIMITS } from '@youworker/contracts/limits'
import { matchesIn } from '../../analysis/matches.ts'
import type { QueryTerm } from '../../analysis/query.ts'
import { UNKNOWN } from '../../analysis/unknown-language.ts'
import type { ChunkHit, ChunkRef, ContextChunk } from '../../repositories/search-repository.ts'
import type { Ranked } from './ranking/rank-fusion.ts'
import { snippetOf } from './snippet.ts'

/** In bytes; leaves 32 KiB for the rest of the reply. */
const MAX_REPLY = LIMITS.wire - 32 * 1024
const MAX_HIGHLIGHTS = 100
export const MAX_TWINS = 20

/** A hit with the passages that have the same text. */
export interface FoundChunk<Row = ChunkRef> {
  readonly ranked: Ranked
  readonly row: Row
  readonly twins: readonly Row[]
}

/** It is told when the passage is put into the index, at the latest. */
export const languageOfRow = ({ language }: Pick<ChunkRef, 'language'>): string => language ?? UNKNOWN

export function hitOf(
  { ranked, row, twins }: FoundChunk<ChunkHit>,
  terms: readonly QueryTerm[],
  around: readonly ContextChunk[],
): SearchHit {
  const { score, dense_score, lexical_score, rerank_score } = ranked
  const { chunk_id, document_id, title, uri, page, title_path, start, end, text } = row
  const language = languageOfRow(row)
  const matches = matchesIn(text, language, terms)
  const hit = { document_id, chunk_id, title, uri, start, end, score: round(score), snippet: snippetOf(text, matches), text }
  const also_in = twins.slice(0, MAX_TWINS).map((twin) => {
    return { document_id: twin.document_id, chunk_id: twin.chunk_id, title: twin.title, uri: twin.uri }
  })
  return {
    ...hit,
    ...(page === null ? {} : { page }),
    ...spokenTime(row.time_start, row.time_end),
    ...(title_path.length === 0 ? {} : { title_path }),
    ...(dense_score === undefined ? {} : { dense_score: round(dense_score) }),
    ...(lexical_score === undefined ? {} : { lexical_score: round(lexical_score) }),
    ...(rerank_score === undefined ? {} : { rerank_score: round(rerank_score) }),
    ...(language === UNKNOWN ? {} : { language }),
    ...(matches.length === 0 ? {} : { highlights: matches.slice(0, MAX_HIGHLIGHTS).map(({ start, end }) => ({ start, end })) }),
    ...(also_in.length === 0 ? {} : { also_in }),
    ...(around.length === 0 ? {} : { context: around.map((chunk) => contextOf(chunk, row)) }),
  }
}

const contextOf = ({ chunk_id, index, text }: ContextChunk, { index: own }: ChunkRef) => ({
  chunk_id,
  position: index - own,
  text,
})

const round = (score: number): number => Math.round(score * 1e6) / 1e6

/** As many of the hits, best first, as fit into one reply; at least one. */
export function withinReply(hits: readonly SearchHit[]): SearchHit[] {
  let bytes = 0
  const end = hits.findIndex((hit) => {
    bytes += Buffer.byteLength(JSON.stringify(hit))
    return bytes > MAX_REPLY
  })
  return end === -1 ? [...hits] : hits.slice(0, Math.max(1, end))
}
