import type { DatabaseSync as SqliteFile, StatementSync } from 'node:sqlite'
import { keyOf, PageBuilder, PostingPage, type TermKey } from './posting-page.ts'

export const SEGMENT_TABLES = `
  create table segments (id integer primary key autoincrement, chunks integer not null);
  create table postings (id integer primary key, data blob not null);
`
const MAX_PAGES = 4_096
const CHUNKS_A_PAGE = 16
/** As many segments of about the same size become one; larger ones than the last stay as they are. */
const FAN = 8
const LARGEST_MERGED = 4_096 * FAN

/** Pages by their row, which do not change while the file says the same of its `pages`. */
export interface PageCache {
  get(row: number): PostingPage | undefined
  set(row: number, page: PostingPage): void
}

/** The terms of one chunk, each with how often it has it. */
export interface ChunkTerms {
  readonly id: number
  readonly counts: ReadonlyMap<string, number>
}

/**
 * Which chunks have a term. Every write makes a segment of its own, and small segments are merged, as in a log-structured merge tree
 * (O'Neil et al. 1996). A segment is divided by the hash of the term into pages, of which a search reads one for each of its terms.
 */
export class Segments {
  readonly #db: SqliteFile
  readonly #all: StatementSync
  readonly #page: StatementSync
  readonly #cache: PageCache | undefined

  /** `cache`: pages that were read, for those that only read. */
  constructor(db: SqliteFile, cache?: PageCache) {
    this.#db = db
    this.#cache = cache
    this.#all = db.prepare('select id, chunks from segments order by id')
    this.#page = db.prepare('select data from postings where id = ?')
  }

  /** The oldest first. */
  list(): Segment[] {
    return this.#all.all().map((row) => segmentOf(Number(row['id']), Number(row['chunks'])))
  }

  /** Of every one of the segments that has the term. */
  postings(segments: readonly Segment[], term: string): Uint32Array[] {
    const key = keyOf(term)
    const found: Uint32Array[] = []
    for (const segment of segments) {
      const postings = this.#read(segment, pageFor(key, segment.pages))?.postingsOf(key)
      if (postings) found.push(postings)
    }
    return found
  }

  /** What {@link postings} has, counted; with those of chunks that are gone. */
  count(segments: readonly Segment[], term: string): number {
    const key = keyOf(term)
    let count = 0
    for (const segment of segments) count += this.#read(segment, pageFor(key, segment.pages))?.countOf(key) ?? 0
    return count
  }

  add(chunks: readonly ChunkTerms[]): void {
    if (chunks.length === 0) return
    const byTerm = new Map<string, number[]>()
    for (const { id, counts } of chunks) {
      for (const [term, count] of counts) {
        const known = byTerm.get(term)
        if (known) known.push(id * 256 + count)
        else byTerm.set(term, [id * 256 + count])
      }
    }
    const segment = this.#create(chunks.length)
    const builders = Array.from({ length: segment.pages }, () => new PageBuilder())
    for (const [term, postings] of byTerm) {
      const key = keyOf(term)
      builders[pageFor(key, segment.pages)]?.add(key, postings)
    }
    builders.forEach((builder, page) => this.#write(segment, page, builder))
  }

  /** Merges while there are too many segments of one size. `isLive` says which chunks are kept. */
  tidy(isLive: (id: number) => boolean): void {
    for (;;) {
      const sizes = Map.groupBy(this.list(), ({ chunks }) => Math.floor(Math.log(chunks) / Math.log(FAN)))
      const crowded = [...sizes.values()].find(
        (segments) => segments.length >= FAN && segments.every(({ chunks }) => chunks < LARGEST_MERGED),
      )
      if (!crowded) return
      this.#merge(crowded, isLive)
    }
  }

  /** Gives each chunk the number that stands in `numbers`, in the same order as before, and drops those without one. */
  renumber(numbers: ReadonlyMap<number, number>): void {
    const write = this.#db.prepare('update postings set data = ? where id = ?')
    for (const { id: row } of this.#db.prepare('select id from postings').all()) {
      const builder = new PageBuilder()
      for (const [key, postings] of this.#pageAt(Number(row))?.entries() ?? []) {
        const kept = postings.filter((posting) => numbers.has(posting >>> 8))
        if (kept.length === 0) continue
        builder.add(
          key,
          kept.map((posting) => (numbers.get(posting >>> 8) ?? 0) * 256 + (posting & 255)),
        )
      }
      write.run(builder.build(), Number(row))
    }
  }

  #merge(segments: readonly Segment[], isLive: (id: number) => boolean): void {
    const merged = this.#create(segments.reduce((sum, { chunks }) => sum + chunks, 0))
    // All numbers of pages are powers of two, so that what belongs into one of every `step` pages stands in such pages now.
    const step = Math.min(merged.pages, ...segments.map(({ pages }) => pages))
    for (let first = 0; first < step; first += 1) this.#mergePages(segments, merged, { first, step, isLive })
    for (const { id } of segments) {
      this.#db.prepare('delete from postings where id >= ? and id < ?').run(id * MAX_PAGES, (id + 1) * MAX_PAGES)
      this.#db.prepare('delete from segments where id = ?').run(id)
    }
  }

  #mergePages(
    segments: readonly Segment[],
    merged: Segment,
    { first, step, isLive }: { first: number; step: number; isLive: (id: number) => boolean },
  ): void {
    const builders = Array.from({ length: merged.pages / step }, () => new PageBuilder())
    for (const segment of segments) {
      for (let page = first; page < segment.pages; page += step) {
        for (const [key, postings] of this.#read(segment, page)?.entries() ?? []) {
          const live = postings.filter((posting) => isLive(posting >>> 8))
          if (live.length > 0) builders[Math.floor(pageFor(key, merged.pages) / step)]?.add(key, live)
        }
      }
    }
    builders.forEach((builder, n) => this.#write(merged, first + n * step, builder))
  }

  #create(chunks: number): Segment {
    const { lastInsertRowid } = this.#db.prepare('insert into segments (chunks) values (?)').run(chunks)
    return segmentOf(Number(lastInsertRowid), chunks)
  }

  #read({ id }: Segment, page: number): PostingPage | undefined {
    return this.#pageAt(id * MAX_PAGES + page)
  }

  #pageAt(row: number): PostingPage | undefined {
    const known = this.#cache?.get(row)
    if (known) return known
    const data = this.#page.get(row)?.['data']
    if (!(data instanceof Uint8Array)) return undefined
    const page = new PostingPage(data)
    this.#cache?.set(row, page)
    return page
  }

  #write({ id }: Segment, page: number, builder: PageBuilder): void {
    if (builder.isEmpty) return
    this.#db.prepare('insert into postings (id, data) values (?, ?)').run(id * MAX_PAGES + page, builder.build())
  }
}

export interface Segment {
  readonly id: number
  readonly chunks: number
  readonly pages: number
}

const segmentOf = (id: number, chunks: number): Segment => {
  const wanted = 2 ** Math.ceil(Math.log2(Math.max(1, chunks / CHUNKS_A_PAGE)))
  return { id, chunks, pages: Math.min(MAX_PAGES, wanted) }
}

const pageFor = ({ first }: TermKey, pages: number): number => first % pages
