import type { DatabaseSync as SqliteFile } from 'node:sqlite'
import type { QueryTerm } from '../../analysis/query.ts'
import type { Candidate, Candidates, Frequencies, IndexQuery, IndexState } from '../../services/search/search-index.ts'
import { bm25 } from './terms/bm25.ts'
import type { Segments } from './terms/segments.ts'
import type { Near, Vectors } from './vectors/vectors.ts'

/** What a file says of itself. */
export interface Meta extends IndexState {
  /** Of one vector, in bytes. */
  readonly dimensions: number | null
  readonly chunks: number
  readonly length: number
}

interface ReaderParts {
  readonly db: SqliteFile
  readonly meta: Meta
  readonly segments: Segments
  readonly vectors: Vectors
  /** Of each chunk by its number; 0 where there is none. */
  readonly lengths: Uint16Array
  readonly checkpoint: () => void
}

/** What a file holds at one moment. */
export class IndexReader {
  readonly #parts: ReaderParts

  constructor(parts: ReaderParts) {
    this.#parts = parts
  }

  search({ vector, terms = [], limit, document_ids }: IndexQuery): Candidates {
    const isAsked = this.#asked(document_ids)
    return {
      lexical: this.#known(this.#matching(terms, limit, isAsked)),
      dense: vector ? this.#known(this.#nearest(vector, limit, isAsked)) : [],
    }
  }

  frequencies(terms: readonly string[]): Frequencies {
    const { meta, segments, lengths } = this.#parts
    const count = (term: string) => {
      let chunks = 0
      for (const part of segments.postings(term)) for (const posting of part) if ((lengths[posting >>> 8] ?? 0) > 0) chunks += 1
      return chunks
    }
    return { chunks: meta.chunks, counts: terms.map(count) }
  }

  #nearest(vector: Uint8Array, limit: number, isAsked: Uint8Array): Near[] {
    const { vectors, checkpoint, meta } = this.#parts
    if (vector.byteLength !== meta.dimensions) return []
    return vectors.nearest(vector, { limit, isAsked, checkpoint }).filter(({ score }) => score > 0)
  }

  #matching(terms: readonly QueryTerm[], limit: number, isAsked: Uint8Array): Near[] {
    const { meta, segments, lengths, checkpoint } = this.#parts
    if (terms.every(({ use }) => use === 'not')) return []
    const space = { lengths, chunks: meta.chunks, total: meta.length }
    const scores = bm25(terms, space, (form) => {
      checkpoint()
      return segments.postings(form)
    })
    return highest(scores, isAsked, limit)
  }

  #asked(documentIds: readonly string[] | undefined): Uint8Array {
    const { db, lengths } = this.#parts
    const isAsked = new Uint8Array(lengths.length)
    if (!documentIds) {
      for (let id = 0; id < lengths.length; id += 1) isAsked[id] = (lengths[id] ?? 0) > 0 ? 1 : 0
      return isAsked
    }
    const find = db.prepare('select id from chunks where document_id in (select value from json_each(?))')
    for (const { id } of find.iterate(JSON.stringify(documentIds))) isAsked[Number(id)] = 1
    return isAsked
  }

  #known(found: readonly Near[]): Candidate[] {
    const find = this.#parts.db.prepare('select chunk_id, generation from chunks where id = ?')
    return found.flatMap(({ id, score }) => {
      const row = find.get(id)
      return row ? [{ chunk_id: String(row['chunk_id']), generation: Number(row['generation']), score }] : []
    })
  }
}

/** Best first, those with equal scores by number. */
function highest(scores: Float64Array, isAsked: Uint8Array, limit: number): Near[] {
  let found: Near[] = []
  let least = 0
  const shorten = () => {
    found = found.sort((a, b) => b.score - a.score || a.id - b.id).slice(0, limit)
    if (found.length === limit) least = found.at(-1)?.score ?? 0
  }
  for (let id = 0; id < isAsked.length; id += 1) {
    const score = scores[id] ?? 0
    if (score <= least || isAsked[id] !== 1) continue
    found.push({ id, score })
    if (found.length >= 4 * limit) shorten()
  }
  shorten()
  return found
}
