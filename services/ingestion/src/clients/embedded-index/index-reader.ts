import type { DatabaseSync as SqliteFile } from 'node:sqlite'
import type { QueryTerm } from '../../analysis/query.ts'
import type { Candidate, Candidates, Frequencies, IndexQuery, IndexState } from '../../services/search/search-index.ts'
import type { ReaderCaches } from './reader-caches.ts'
import { bm25, normsOf } from './terms/bm25.ts'
import { ChunkLengths } from './terms/chunk-lengths.ts'
import { type Segment, Segments } from './terms/segments.ts'
import { type Encoding, type Near, Vectors } from './vectors/vectors.ts'

/** What a file says of itself. */
export interface Meta extends IndexState {
  /** Of one vector, in bytes. */
  readonly dimensions: number | null
  readonly chunks: number
  readonly length: number
  /** Another number stands for other pages of postings. */
  readonly pages: number
}

interface Live {
  /** Of each chunk by its number; 0 where there is none. */
  readonly lengths: Uint16Array
  /** 1 where there is one. */
  readonly exists: Uint8Array
  readonly norms: Float64Array
}

/** What a file holds at one moment. What was read once is kept, so it is used while nobody writes. */
export class IndexReader {
  readonly meta: Meta
  readonly #db: SqliteFile
  readonly #caches: ReaderCaches
  readonly #vectors: Vectors
  readonly #postings: Segments
  #live: Live | undefined
  #segments: readonly Segment[] | undefined
  #encoding: { readonly now: Encoding | undefined } | undefined

  constructor(db: SqliteFile, meta: Meta, caches: ReaderCaches) {
    this.meta = meta
    this.#db = db
    this.#caches = caches
    this.#vectors = new Vectors(db)
    this.#postings = new Segments(db, caches.pagesOf(meta.pages))
  }

  search({ vector, terms = [], limit, document_ids }: IndexQuery, checkpoint: () => void): Candidates {
    const isAsked = document_ids ? this.#of(document_ids) : this.#all().exists
    return {
      lexical: this.#known(this.#matching(terms, limit, isAsked, checkpoint)),
      dense: vector ? this.#known(this.#nearest(vector, limit, isAsked, checkpoint)) : [],
    }
  }

  frequencies(terms: readonly string[]): Frequencies {
    const { chunks } = this.meta
    const segments = this.#parts()
    const isNoneGone = this.#isNoneGone()
    const count = (term: string) => (isNoneGone ? this.#postings.count(segments, term) : this.#countLive(term))
    return { chunks, counts: terms.map(count) }
  }

  /** There are no postings of chunks that were removed. */
  #isNoneGone(): boolean {
    return this.#parts().reduce((sum, segment) => sum + segment.chunks, 0) === this.meta.chunks
  }

  #countLive(term: string): number {
    const { exists } = this.#all()
    let count = 0
    for (const part of this.#postings.postings(this.#parts(), term))
      for (const posting of part) count += exists[posting >>> 8] ?? 0
    return count
  }

  #nearest(vector: Uint8Array, limit: number, isAsked: Uint8Array, checkpoint: () => void): Near[] {
    if (vector.byteLength !== this.meta.dimensions) return []
    this.#encoding ??= { now: this.#vectors.encoding() }
    const encoding = this.#encoding.now
    const recent = this.#caches.recent.get(this) ?? this.#vectors.recent(encoding)
    this.#caches.recent.set(this, recent)
    const options = { limit, isAsked, codes: this.#caches.codes, checkpoint }
    return this.#vectors.nearest(vector, { encoding, recent }, options).filter(({ score }) => score > 0)
  }

  #matching(terms: readonly QueryTerm[], limit: number, isAsked: Uint8Array, checkpoint: () => void): Near[] {
    if (terms.every(({ use }) => use === 'not')) return []
    const { lengths, norms } = this.#all()
    const space = { lengths, norms, chunks: this.meta.chunks, isNoneGone: this.#isNoneGone() }
    const scores = bm25(terms, space, (form) => {
      checkpoint()
      return this.#postings.postings(this.#parts(), form)
    })
    return highest(scores, isAsked, limit)
  }

  #parts(): readonly Segment[] {
    return (this.#segments ??= this.#postings.list())
  }

  #all(): Live {
    if (this.#live) return this.#live
    const lengths = new ChunkLengths(this.#db).all()
    const exists = new Uint8Array(lengths.length)
    for (let id = 0; id < lengths.length; id += 1) exists[id] = (lengths[id] ?? 0) > 0 ? 1 : 0
    return (this.#live = { lengths, exists, norms: normsOf(lengths, this.meta.chunks, this.meta.length) })
  }

  #of(documentIds: readonly string[]): Uint8Array {
    const isAsked = new Uint8Array(this.#all().exists.length)
    const find = this.#db.prepare('select id from chunks where document_id in (select value from json_each(?))')
    for (const { id } of find.iterate(JSON.stringify(documentIds))) isAsked[Number(id)] = 1
    return isAsked
  }

  #known(found: readonly Near[]): Candidate[] {
    const find = this.#db.prepare('select chunk_id, generation from chunks where id = ?')
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
