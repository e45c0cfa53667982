import { mkdir, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { DatabaseSync as SqliteFile, type StatementSync } from 'node:sqlite'
import { load as loadVectors } from 'sqlite-vec'
import type {
  Candidate,
  Candidates,
  Frequencies,
  ContentsQuery,
  IndexedChunk,
  IndexedVersion,
  IndexEntry,
  IndexQuery,
  IndexState,
} from '../../services/search/search-index.ts'
import { matchExpression } from './match-expression.ts'
import { readContents } from './read-contents.ts'

/** A file of another layout is made anew from Postgres. */
const LAYOUT = 2
const BUSY_MS = 5_000
/** The largest `k` that vec0 accepts. */
const MAX_NEAREST = 4_096
const FLOAT_BYTES = 4
/** SQLITE_CORRUPT and SQLITE_NOTADB (sqlite.org/rescode.html). */
const BROKEN = new Set([11, 26])
/** SQLITE_FULL, and SQLITE_IOERR_SHMSIZE: no room for the file that processes share. */
const FULL = 13
const NO_SHARED_FILE = 4_874

const TABLES = `
  create table meta (id integer primary key check (id = 1), epoch text not null, model text not null, seq integer not null, dimensions integer);
  create table chunks (id integer primary key, chunk_id text not null unique, document_id text not null, generation integer not null);
  create index chunks_document on chunks (document_id, generation);
  create virtual table words using fts5(heading, body, content='', contentless_delete=1, tokenize="unicode61 remove_diacritics 0 categories 'L* N* M* Co'");
  create virtual table terms using fts5vocab(words, row);
`
const DROP =
  'drop table if exists vectors; drop table if exists terms; drop table if exists words; drop table if exists chunks; drop table if exists meta;'
const ONLY_DOCUMENTS = 'in (select id from chunks where document_id in (select value from json_each(:documents)))'

type Meta = IndexState & { readonly dimensions: number | null }

/** The index of one space: a SQLite file with words (FTS5) and vectors (sqlite-vec). Its calls block, so it runs in a worker thread. */
export class IndexFile {
  readonly #db: SqliteFile
  readonly #path: string
  readonly #inode: bigint

  private constructor(db: SqliteFile, path: string, inode: bigint) {
    this.#db = db
    this.#path = path
    this.#inode = inode
  }

  static async open(path: string): Promise<IndexFile> {
    await mkdir(dirname(path), { recursive: true })
    const db = new SqliteFile(path, { allowExtension: true, timeout: BUSY_MS })
    try {
      loadVectors(db)
      db.enableLoadExtension(false)
      db.exec('pragma journal_mode = wal; pragma synchronous = normal; pragma secure_delete = on')
      return new IndexFile(db, path, (await stat(path, { bigint: true })).ino)
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

  static isBroken(error: unknown): boolean {
    return BROKEN.has(errcodeOf(error) & 0xff)
  }

  /** The disk is full. The transaction was undone, and the file is as it was. */
  static isFull(error: unknown): boolean {
    const code = errcodeOf(error)
    return (code & 0xff) === FULL || code === NO_SHARED_FILE
  }

  /** False when the file was deleted or replaced by another process. */
  async isCurrent(): Promise<boolean> {
    return (await inodeOf(this.#path)) === this.#inode
  }

  close(): void {
    this.#db.close()
  }

  state(): IndexState | undefined {
    const meta = this.#meta()
    return meta && { epoch: meta.epoch, model: meta.model, seq: meta.seq }
  }

  reset({ epoch, model }: Pick<IndexState, 'epoch' | 'model'>): void {
    this.#write(() => {
      this.#db.exec(`${DROP}${TABLES} pragma user_version = ${LAYOUT}`)
      this.#change('insert into meta (id, epoch, model, seq) values (1, ?, ?, 0)').run(epoch, model)
    })
  }

  add(base: IndexState, entries: readonly IndexEntry[]): boolean {
    return this.#write(() => {
      const meta = this.#meta()
      if (!isAt(meta, base)) return false
      const dimensions = this.#dimensions(meta, entries)
      const chunk = this.#change(
        'insert into chunks (chunk_id, document_id, generation) values (?, ?, ?) on conflict do nothing returning id',
      )
      const words = this.#change('insert into words (rowid, heading, body) values (?, ?, ?)')
      const vectors = dimensions === null ? undefined : this.#change('insert into vectors (rowid, embedding) values (?, ?)')
      for (const { chunk_id, document_id, generation, heading, body, vector } of entries) {
        const row = chunk.get(chunk_id, document_id, generation)
        if (!row) continue
        // vec0 takes only real integers, and a number would be bound as a float.
        const id = BigInt(Number(row['id']))
        words.run(id, heading, body)
        if (vector && vector.byteLength === (dimensions ?? 0) * FLOAT_BYTES) vectors?.run(id, vector)
      }
      return true
    })
  }

  advance(base: IndexState, seq: number, versions: readonly IndexedVersion[]): boolean {
    return this.#write(() => {
      const meta = this.#meta()
      if (!isAt(meta, base)) return false
      for (const { document_id, generation } of versions) this.#remove(document_id, generation ?? Number.MAX_SAFE_INTEGER, meta)
      this.#change('update meta set seq = ?').run(seq)
      return true
    })
  }

  /** FTS5 only marks words as removed until it merges them, and freed pages are overwritten as they reach the file. */
  scrub(): void {
    if (this.#meta()) this.#db.exec(`insert into words(words) values ('optimize'); pragma wal_checkpoint(truncate)`)
  }

  search({ vector, terms = [], limit, document_ids }: IndexQuery): Candidates {
    const meta = this.#meta()
    if (!meta) return { dense: [], lexical: [] }
    const documents = document_ids && JSON.stringify(document_ids)
    const fits = vector && vector.byteLength === (meta.dimensions ?? 0) * FLOAT_BYTES
    return {
      dense: fits ? this.#nearest(vector, limit, documents) : [],
      lexical: this.#matching(matchExpression(terms), limit, documents),
    }
  }

  frequencies(terms: readonly string[]): Frequencies {
    if (!this.#meta()) return { chunks: 0, counts: terms.map(() => 0) }
    const count = this.#db.prepare('select doc from terms where term = ?')
    const chunks = Number(this.#db.prepare('select count(*) as n from chunks').get()?.['n'] ?? 0)
    return { chunks, counts: terms.map((term) => Number(count.get(term)?.['doc'] ?? 0)) }
  }

  contents(query: ContentsQuery): IndexedChunk[] {
    const meta = this.#meta()
    return meta ? readContents(this.#db, query, meta.dimensions !== null) : []
  }

  #nearest(vector: Uint8Array, limit: number, documents: string | undefined): Candidate[] {
    const rows = this.#db
      .prepare(
        `select c.chunk_id, c.generation, 1 - v.distance as score from vectors v join chunks c on c.id = v.rowid
         where v.embedding match :vector and k = :k ${documents === undefined ? '' : `and v.rowid ${ONLY_DOCUMENTS}`}`,
      )
      .all({ vector, k: BigInt(Math.min(limit, MAX_NEAREST)), ...(documents === undefined ? {} : { documents }) })
    return rows.map(asCandidate).filter(({ score }) => score > 0)
  }

  #matching(match: string | undefined, limit: number, documents: string | undefined): Candidate[] {
    if (match === undefined) return []
    const rows = this.#db
      .prepare(
        `select c.chunk_id, c.generation, -bm25(words, 2.0, 1.0) as score from words join chunks c on c.id = words.rowid
         where words match :match ${documents === undefined ? '' : `and words.rowid ${ONLY_DOCUMENTS}`}
         order by score desc, c.chunk_id limit :limit`,
      )
      .all({ match, limit: BigInt(limit), ...(documents === undefined ? {} : { documents }) })
    return rows.map(asCandidate)
  }

  #remove(documentId: string, belowGeneration: number, { dimensions }: Meta): void {
    const rows = this.#db
      .prepare('select id from chunks where document_id = ? and generation < ?')
      .all(documentId, BigInt(belowGeneration))
    const tables = dimensions === null ? ['words'] : ['words', 'vectors']
    const statements = [...tables.map((table) => `delete from ${table} where rowid = ?`), 'delete from chunks where id = ?']
    const prepared = statements.map((statement) => this.#change(statement))
    for (const row of rows) for (const statement of prepared) statement.run(BigInt(Number(row['id'])))
  }

  /** All vectors of a file have the length of its first one. */
  #dimensions({ dimensions }: Meta, entries: readonly IndexEntry[]): number | null {
    const first = entries.find(({ vector }) => vector !== null)?.vector
    if (dimensions !== null || !first) return dimensions
    const found = first.byteLength / FLOAT_BYTES
    this.#db.exec(`create virtual table vectors using vec0(embedding float[${found}] distance_metric=cosine)`)
    this.#change('update meta set dimensions = ?').run(found)
    return found
  }

  #meta(): Meta | undefined {
    if (this.#db.prepare('pragma user_version').get()?.['user_version'] !== LAYOUT) return undefined
    const row = this.#db.prepare('select epoch, model, seq, dimensions from meta').get()
    if (!row) return undefined
    const { epoch, model, seq, dimensions } = row
    return {
      epoch: String(epoch),
      model: String(model),
      seq: Number(seq),
      dimensions: dimensions === null ? null : Number(dimensions),
    }
  }

  /** With bigints, because `run` returns the last row id and throws when FTS5 leaves one above 2^53. */
  #change(statement: string): StatementSync {
    const prepared = this.#db.prepare(statement)
    prepared.setReadBigInts(true)
    return prepared
  }

  #write<T>(work: () => T): T {
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

const errcodeOf = (error: unknown): number =>
  error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' ? error.errcode : 0

const inodeOf = (path: string): Promise<bigint | undefined> =>
  stat(path, { bigint: true }).then(
    ({ ino }) => ino,
    () => undefined,
  )

const isAt = (meta: Meta | undefined, base: IndexState): meta is Meta =>
  meta !== undefined && meta.epoch === base.epoch && meta.model === base.model && meta.seq === base.seq

const asCandidate = (row: Record<string, unknown>): Candidate => ({
  chunk_id: String(row['chunk_id']),
  generation: Number(row['generation']),
  score: Number(row['score']),
})
