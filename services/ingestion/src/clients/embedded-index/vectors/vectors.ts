import { randomInt } from 'node:crypto'
import type { DatabaseSync as SqliteFile, StatementSync } from 'node:sqlite'
import { bestOf } from './best-of.ts'
import { type CodeMemory, MOST_COLUMNS } from './code-memory.ts'
import { type RecentVectors, recentVectors } from './recent-vectors.ts'
import { askedColumns, BLOCK, type Centre, centreOf, columnsOf, encode, groupBytes } from './vector-codes.ts'
import { bytesOf, dot, floatsOf, halvesOf, unit, valuesOf } from './vector-math.ts'

export const VECTOR_TABLES = `
  create table vectors (id integer primary key, vector blob not null);
  create table centre (id integer primary key check (id = 1), version integer not null, chunks integer not null, means blob not null, spreads blob not null);
  create table codes (block integer primary key, data blob not null);
`
/** With fewer vectors all are compared exactly. */
const ENCODED_FROM = 2_048
/** The centre is taken anew when there are so many times as many vectors. */
const GROWTH = 16
const SAMPLE = 2_048
/** Vectors that are compared exactly after their codes were. */
const RESCORED = 256
const BLOCKS_A_CHECK = 16

export interface Near {
  readonly id: number
  /** Cosine similarity. */
  readonly score: number
}

/** How the vectors of a file are encoded at one moment. */
export interface Encoding extends Centre {
  readonly version: number
  readonly chunks: number
  readonly blocks: number
}

/** What searches of one moment share. */
interface VectorSnapshot {
  readonly encoding: Encoding | undefined
  /** Those without codes. */
  readonly recent: RecentVectors
}

interface NearestOptions {
  readonly limit: number
  /** 1 for the chunks that may be found, by number. */
  readonly isAsked: Uint8Array
  readonly codes: CodeMemory
  /** Throws when nobody waits for the answer any more. */
  readonly checkpoint: () => void
}

/** Vectors of chunks: exact ones in half precision, and codes of a quarter of that by which the nearest are chosen. */
export class Vectors {
  readonly #db: SqliteFile
  readonly #one: StatementSync
  readonly #block: StatementSync

  constructor(db: SqliteFile) {
    this.#db = db
    this.#one = db.prepare('select vector from vectors where id = ?')
    this.#block = db.prepare('select data from codes where block = ?')
  }

  /** Little-endian float32. A vector without a direction is left out. */
  add(id: number, bytes: Uint8Array): void {
    const vector = unit(floatsOf(bytes))
    if (!vector) return
    const half = new Float16Array(vector)
    this.#db.prepare('insert into vectors (id, vector) values (?, ?)').run(id, new Uint8Array(half.buffer))
  }

  remove(id: number): void {
    this.#db.prepare('delete from vectors where id = ?').run(id)
  }

  forgetCodes(): void {
    this.#db.exec('delete from codes; delete from centre')
  }

  /** Encodes all full blocks below `end`. `chunks`: how many there are. */
  tidy(end: number, chunks: number): void {
    if (chunks < ENCODED_FROM) return
    const known = this.encoding()
    const encoding = known && chunks < known.chunks * GROWTH ? known : this.#newEncoding(chunks)
    if (columnsOf(encoding.means.length) > MOST_COLUMNS) return
    const range = this.#db.prepare('select id, vector from vectors where id >= ? and id < ?')
    const write = this.#db.prepare('insert into codes (block, data) values (?, ?)')
    for (let block = encoding.blocks; (block + 1) * BLOCK <= end; block += 1) {
      const rows: (Float32Array | undefined)[] = Array.from({ length: BLOCK }, () => undefined)
      for (const { id, vector } of range.iterate(block * BLOCK, (block + 1) * BLOCK)) {
        const half = halvesOf(vector)
        rows[Number(id) % BLOCK] = half && valuesOf(half)
      }
      write.run(block, encode(rows, encoding))
    }
  }

  recent(encoding: Encoding | undefined): RecentVectors {
    return recentVectors(this.#db, (encoding?.blocks ?? 0) * BLOCK)
  }

  /** Best first. */
  nearest(query: Uint8Array, { encoding, recent }: VectorSnapshot, options: NearestOptions): Near[] {
    const wanted = unit(floatsOf(query))
    if (!wanted) return []
    const { isAsked, limit } = options
    const near: Near[] = []
    if (encoding?.means.length === wanted.length) {
      for (const id of this.#likely(wanted, encoding, options)) {
        const vector = halvesOf(this.#one.get(id)?.['vector'])
        if (vector?.length === wanted.length) near.push({ id, score: dot(wanted, vector) })
      }
    }
    recent.compare(wanted, isAsked, (id, score) => near.push({ id, score }))
    return near.sort((a, b) => b.score - a.score || a.id - b.id).slice(0, limit)
  }

  /** Those among the encoded chunks that are worth an exact comparison. */
  #likely(query: Float32Array, encoding: Encoding, { limit, isAsked, codes, checkpoint }: NearestOptions): Uint32Array {
    codes.ask(encoding.version, groupBytes(query.length), askedColumns(query, encoding))
    const scores = new Int16Array(encoding.blocks * BLOCK)
    for (let block = 0; block < encoding.blocks; block += 1) {
      if (block % BLOCKS_A_CHECK === 0) checkpoint()
      const read = () => {
        checkpoint()
        return bytesOf(this.#block.get(block)?.['data'])
      }
      scores.set(codes.sums(block, read), block * BLOCK)
    }
    return bestOf(isAsked, scores, Math.max(RESCORED, 2 * limit))
  }

  encoding(): Encoding | undefined {
    const row = this.#db.prepare('select version, chunks, means, spreads from centre').get()
    if (!row) return undefined
    const { version, chunks, means, spreads } = row
    const last = this.#db.prepare('select max(block) as block from codes').get()?.['block']
    return {
      version: Number(version),
      chunks: Number(chunks),
      means: floatsOf(bytesOf(means)),
      spreads: floatsOf(bytesOf(spreads)),
      blocks: typeof last === 'number' ? last + 1 : 0,
    }
  }

  #newEncoding(chunks: number): Encoding {
    const every = Math.ceil(chunks / SAMPLE)
    const rows = this.#db.prepare('select vector from vectors where id % ? = 0 limit ?').all(every, SAMPLE)
    const centre = centreOf(
      rows.flatMap(({ vector }) => {
        const half = halvesOf(vector)
        return half ? [valuesOf(half)] : []
      }),
    )
    const version = randomInt(2 ** 47)
    this.forgetCodes()
    this.#db
      .prepare('insert into centre (id, version, chunks, means, spreads) values (1, ?, ?, ?, ?)')
      .run(version, chunks, new Uint8Array(centre.means.buffer), new Uint8Array(centre.spreads.buffer))
    return { ...centre, version, chunks, blocks: 0 }
  }
}
