import { mkdir, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { DatabaseSync as SqliteFile, type StatementSync } from 'node:sqlite'
import type {
  Candidates,
  ContentsQuery,
  Frequencies,
  IndexedChunk,
  IndexedVersion,
  IndexEntry,
  IndexQuery,
  IndexState,
} from '../../services/search/search-index.ts'
import { compactIfSparse, dropRemains } from './compact.ts'
import { IndexReader, type Meta } from './index-reader.ts'
import { LAYOUT, layoutOf, MAKE_TABLES } from './layout.ts'
import { readContents } from './read-contents.ts'
import type { ReaderCaches } from './reader-caches.ts'
import { ChunkLengths } from './terms/chunk-lengths.ts'
import { countTerms } from '../../analysis/count-terms.ts'
import { MAX_CHUNK } from './terms/posting-page.ts'
import { Segments } from './terms/segments.ts'
import { Vectors } from './vectors/vectors.ts'

const BUSY_MS = 5_000

interface OpenOptions {
  readonly caches: ReaderCaches
  /** Called often during a search; throws when nobody waits for its answer any more. */
  readonly checkpoint: () => void
}

/** The index of one space: a SQLite file with terms and vectors. Its calls block, so it runs in a worker thread. */
export class IndexFile {
  readonly #db: SqliteFile
  readonly #path: string
  readonly #inode: bigint
  readonly #options: OpenOptions
  readonly #version: StatementSync
  /** What was read when the file had this version (sqlite.org/pragma.html#pragma_data_version). */
  #seen: { readonly version: number; readonly reader: IndexReader | undefined } | undefined

  private constructor(db: SqliteFile, path: string, inode: bigint, options: OpenOptions) {
    this.#db = db
    this.#path = path
    this.#inode = inode
    this.#options = options
    this.#version = db.prepare('pragma data_version')
  }

  static async open(path: string, options: OpenOptions): Promise<IndexFile> {
    await mkdir(dirname(path), { recursive: true })
    const db = new SqliteFile(path, { timeout: BUSY_MS })
    try {
      db.exec('pragma journal_mode = wal; pragma synchronous = normal; pragma secure_delete = on')
      return new IndexFile(db, path, (await stat(path, { bigint: true })).ino, options)
    } catch (error) {
      db.close()
      throw error
    }
  }

  static async exists(path: string): Promise<boolean> {
    return (await inodeOf(path)) !== undefined
  }

  static async erase(path: string): Promise<void> {
    for (const suffix of ['', '-wal', '-shm']) await rm(`${path}${suffix}`, { force: true })
  }

  /** False when the file was deleted or replaced by another process. */
  async isCurrent(): Promise<boolean> {
    return (await inodeOf(this.#path)) === this.#inode
  }

  close(): void {
    this.#db.close()
  }

  /** Its tables may need modules that are not there any more, so it can only be deleted. */
  hasOtherLayout(): boolean {
    return ![0, LAYOUT].includes(layoutOf(this.#db))
  }

  state(): IndexState | undefined {
    const meta = this.#meta()
    return meta && { epoch: meta.epoch, model: meta.model, seq: meta.seq }
  }

  reset({ epoch, model }: Pick<IndexState, 'epoch' | 'model'>): void {
    this.#write(() => {
      this.#db.exec(MAKE_TABLES)
      this.#db.prepare('insert into meta (id, epoch, model, seq) values (1, ?, ?, 0)').run(epoch, model)
    })
  }

  add(base: IndexState, entries: readonly IndexEntry[]): boolean {
    return this.#write(() => {
      const meta = this.#meta()
      if (!isAt(meta, base)) return false
      const dimensions = meta.dimensions ?? entries.find(({ vector }) => vector !== null)?.vector?.byteLength ?? null
      const { lengths, segments, vectors } = this.#parts()
      const added = this.#addChunks(entries)
      for (const { id, vector } of added) if (vector && vector.byteLength === dimensions) vectors.add(id, vector)
      const length = added.reduce((sum, { id, terms }) => sum + lengths.set(id, terms.length), 0)
      segments.add(added.map(({ id, terms }) => ({ id, counts: terms.counts })))
      lengths.flush()
      this.#tidy({ lengths, segments, vectors }, meta.chunks + added.length)
      const change = 'update meta set dimensions = ?, chunks = chunks + ?, length = length + ?'
      this.#db.prepare(change).run(dimensions, added.length, length)
      return true
    })
  }

  advance(base: IndexState, seq: number, versions: readonly IndexedVersion[]): boolean {
    return this.#write(() => {
      const meta = this.#meta()
      if (!isAt(meta, base)) return false
      const parts = this.#parts()
      const { lengths, vectors } = parts
      const find = this.#db.prepare('select id from chunks where document_id = ? and generation < ?')
      const ids = versions.flatMap(({ document_id, generation }) =>
        find.all(document_id, generation ?? Number.MAX_SAFE_INTEGER).map(({ id }) => Number(id)),
      )
      const remove = this.#db.prepare('delete from chunks where id = ?')
      let length = 0
      for (const id of ids) {
        remove.run(id)
        vectors.remove(id)
        length += lengths.remove(id)
      }
      lengths.flush()
      this.#db.prepare('update meta set seq = ?, chunks = chunks - ?, length = length - ?').run(seq, ids.length, length)
      compactIfSparse(this.#db, meta.chunks - ids.length, parts)
      return true
    })
  }

  search(query: IndexQuery): Candidates {
    return this.#read((reader) => reader.search(query, this.#options.checkpoint)) ?? { dense: [], lexical: [] }
  }

  frequencies(terms: readonly string[]): Frequencies {
    return this.#read((reader) => reader.frequencies(terms)) ?? { chunks: 0, counts: terms.map(() => 0) }
  }

  contents(query: ContentsQuery): IndexedChunk[] {
    return this.#read(() => readContents(this.#db, query)) ?? []
  }

  /** Postings and codes of chunks that are gone are kept until they are written anew. Freed pages are overwritten as they reach the file. */
  scrub(): void {
    this.#write(() => {
      if (this.#meta()) dropRemains(this.#db, this.#parts())
    })
    this.#db.exec('pragma wal_checkpoint(truncate)')
  }

  #parts(): Parts {
    const db = this.#db
    return { lengths: new ChunkLengths(db), segments: new Segments(db), vectors: new Vectors(db) }
  }

  /** Chunks that are known already are left out. */
  #addChunks(entries: readonly IndexEntry[]) {
    const insert = this.#db.prepare(
      'insert into chunks (chunk_id, document_id, generation) values (?, ?, ?) on conflict do nothing returning id',
    )
    return entries.flatMap(({ chunk_id, document_id, generation, heading, body, vector }) => {
      const id = Number(insert.get(chunk_id, document_id, generation)?.['id'] ?? 0)
      if (id === 0) return []
      if (id > MAX_CHUNK) throw new RangeError('a space has had more chunks than the index can number')
      return [{ id, vector, terms: countTerms(heading, body) }]
    })
  }

  #tidy({ lengths, segments, vectors }: Parts, chunks: number): void {
    let all: Uint16Array | undefined
    segments.tidy((id) => ((all ??= lengths.all())[id] ?? 0) > 0)
    vectors.tidy(Number(this.#db.prepare('select max(id) as id from chunks').get()?.['id'] ?? 0) + 1, chunks)
  }

  #meta(): Meta | undefined {
    if (layoutOf(this.#db) !== LAYOUT) return undefined
    const row = this.#db.prepare('select epoch, model, seq, dimensions, chunks, length, pages from meta').get()
    if (!row) return undefined
    const { epoch, model, seq, dimensions, chunks, length, pages } = row
    return {
      epoch: String(epoch),
      model: String(model),
      seq: Number(seq),
      dimensions: dimensions === null ? null : Number(dimensions),
      chunks: Number(chunks),
      length: Number(length),
      pages: Number(pages),
    }
  }

  /** Everything that `work` reads is of one moment, while other threads and processes may write. */
  #read<T>(work: (reader: IndexReader) => T): T | undefined {
    this.#db.exec('begin')
    try {
      const version = Number(this.#version.get()?.['data_version'])
      if (this.#seen?.version !== version) {
        const meta = this.#meta()
        this.#seen = { version, reader: meta && new IndexReader(this.#db, meta, this.#options.caches) }
      }
      const { reader } = this.#seen
      return reader && work(reader)
    } finally {
      if (this.#db.isTransaction) this.#db.exec('rollback')
    }
  }

  #write<T>(work: () => T): T {
    this.#seen = undefined
    this.#db.exec('begin immediate')
    try {
      const result = work()
      this.#db.exec('commit')
      return result
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('rollback')
      throw error
    }
  }
}

interface Parts {
  readonly lengths: ChunkLengths
  readonly segments: Segments
  readonly vectors: Vectors
}

const inodeOf = (path: string): Promise<bigint | undefined> =>
  stat(path, { bigint: true }).then(
    ({ ino }) => ino,
    () => undefined,
  )

const isAt = (meta: Meta | undefined, base: IndexState): meta is Meta =>
  meta !== undefined && meta.epoch === base.epoch && meta.model === base.model && meta.seq === base.seq
