import { randomInt } from 'node:crypto'
import type { DatabaseSync as SqliteFile, StatementSync } from 'node:sqlite'
import type { LRUCache } from 'lru-cache'
import { bestOf } from './best-of.ts'
import { addBlock, addRows, BLOCK, type Centre, centreOf, encode, tablesFor } from './vector-codes.ts'

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
/** Share of the chunks that is looked at more closely after their signs were compared. */
const SECOND_LOOK = 0.15
const FLOAT_BYTES = 4
const HALF_BYTES = 2
const BLOCKS_A_CHECK = 16

export interface Near {
  readonly id: number
  /** Cosine similarity. */
  readonly score: number
}

/** Codes of blocks, which do not change once they are written. Shared by all files of a thread. */
export type CodeCache = LRUCache<string, Uint8Array>

interface Encoded extends Centre {
  readonly version: number
  readonly chunks: number
}

interface NearestOptions {
  readonly limit: number
  /** 1 for the chunks that may be found, by number. */
  readonly isAsked: Uint8Array
  /** Throws when nobody waits for the answer any more. */
  readonly checkpoint: () => void
}

/** Vectors of chunks: exact ones in half precision, and codes of a quarter of that by which the nearest are chosen. */
export class Vectors {
  readonly #db: SqliteFile
  readonly #cache: CodeCache
  readonly #one: StatementSync

  constructor(db: SqliteFile, cache: CodeCache) {
    this.#db = db
    this.#cache = cache
    this.#one = db.prepare('select vector from vectors where id = ?')
  }

  /** Little-endian float32. A vector without a direction is left out. */
  add(id: number, bytes: Uint8Array): void {
    const vector = unit(floats(bytes))
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

  /** Encodes all full blocks below `end`. */
  tidy(end: number): void {
    const count = Number(this.#db.prepare('select count(*) as n from vectors').get()?.['n'] ?? 0)
    if (count < ENCODED_FROM) return
    const known = this.#centre()
    const centre = known && count < known.chunks * GROWTH ? known : this.#newCentre(count)
    const last = this.#db.prepare('select max(block) as block from codes').get()?.['block']
    const range = this.#db.prepare('select id, vector from vectors where id >= ? and id < ?')
    const write = this.#db.prepare('insert into codes (block, data) values (?, ?)')
    for (let block = typeof last === 'number' ? last + 1 : 0; (block + 1) * BLOCK <= end; block += 1) {
      const rows: (Float32Array | undefined)[] = Array.from({ length: BLOCK }, () => undefined)
      for (const { id, vector } of range.iterate(block * BLOCK, (block + 1) * BLOCK)) {
        const half = halves(vector)
        rows[Number(id) % BLOCK] = half && new Float32Array(half)
      }
      write.run(block, encode(rows, centre))
    }
  }

  /** Best first. */
  nearest(query: Uint8Array, options: NearestOptions): Near[] {
    const wanted = unit(floats(query))
    if (!wanted) return []
    const centre = this.#centre()
    const fits = centre?.means.length === wanted.length
    const coded = centre && fits ? this.#likely(wanted, centre, options) : { ids: new Uint32Array(0), end: 0 }
    const near: Near[] = []
    const compare = (id: number, value: unknown) => {
      if (options.isAsked[id] !== 1) return
      const vector = halves(value)
      if (vector?.length === wanted.length) near.push({ id, score: dot(wanted, vector) })
    }
    for (const id of coded.ids) compare(id, this.#one.get(id)?.['vector'])
    const rest = this.#db.prepare('select id, vector from vectors where id >= ?')
    for (const { id, vector } of rest.iterate(coded.end)) compare(Number(id), vector)
    return near.sort((a, b) => b.score - a.score || a.id - b.id).slice(0, options.limit)
  }

  /** Those among the encoded chunks that are worth an exact comparison, and where the others begin. */
  #likely(query: Float32Array, centre: Encoded, { limit, isAsked, checkpoint }: NearestOptions) {
    const { steps, signs } = tablesFor(query, centre)
    const blocks = this.#codes(centre.version, checkpoint)
    const end = blocks.length * BLOCK
    const scores = new Int32Array(end)
    const first = signs.length > 0 ? signs : steps
    blocks.forEach((codes, block) => {
      if (block % BLOCKS_A_CHECK === 0) checkpoint()
      addBlock(codes, first, scores, block * BLOCK)
    })
    const asked = numbersOf(isAsked, end)
    const exact = Math.max(RESCORED, 2 * limit)
    if (signs.length === 0) return { ids: bestOf(asked, scores, exact), end }
    const closer = bestOf(asked, scores, Math.max(4 * exact, Math.ceil(asked.length * SECOND_LOOK)))
    checkpoint()
    scores.fill(0)
    let from = 0
    for (let at = 1; at <= closer.length; at += 1) {
      const block = Math.floor((closer[from] ?? 0) / BLOCK)
      if (at < closer.length && Math.floor((closer[at] ?? 0) / BLOCK) === block) continue
      const codes = blocks[block]
      if (codes) addRows(codes, steps, scores, closer.subarray(from, at))
      from = at
    }
    return { ids: bestOf(closer, scores, exact), end }
  }

  #codes(version: number, checkpoint: () => void): Uint8Array[] {
    const numbers = this.#db.prepare('select block from codes order by block').all()
    const read = this.#db.prepare('select data from codes where block = ?')
    return numbers.map(({ block }) => {
      const key = `${version} ${Number(block)}`
      const known = this.#cache.get(key)
      if (known) return known
      checkpoint()
      const data = bytesOf(read.get(Number(block))?.['data'])
      this.#cache.set(key, data)
      return data
    })
  }

  #centre(): Encoded | undefined {
    const row = this.#db.prepare('select version, chunks, means, spreads from centre').get()
    if (!row) return undefined
    const { version, chunks, means, spreads } = row
    return { version: Number(version), chunks: Number(chunks), means: floats(bytesOf(means)), spreads: floats(bytesOf(spreads)) }
  }

  #newCentre(chunks: number): Encoded {
    const every = Math.ceil(chunks / SAMPLE)
    const rows = this.#db.prepare('select vector from vectors where id % ? = 0 limit ?').all(every, SAMPLE)
    const centre = centreOf(rows.flatMap(({ vector }) => new Float32Array(halves(vector) ?? [])))
    const version = randomInt(2 ** 47)
    this.forgetCodes()
    this.#db
      .prepare('insert into centre (id, version, chunks, means, spreads) values (1, ?, ?, ?, ?)')
      .run(version, chunks, new Uint8Array(centre.means.buffer), new Uint8Array(centre.spreads.buffer))
    return { ...centre, version, chunks }
  }
}

/** A loop, because `from` with a function takes fifty times as long. */
function numbersOf(isAsked: Uint8Array, end: number): Uint32Array {
  const numbers = new Uint32Array(end)
  let size = 0
  for (let id = 0; id < end; id += 1) {
    if (isAsked[id] !== 1) continue
    numbers[size] = id
    size += 1
  }
  return numbers.subarray(0, size)
}

const bytesOf = (value: unknown): Uint8Array => (value instanceof Uint8Array ? value : new Uint8Array(0))

/** Copied, because numbers of four bytes need an offset that is divisible by four. */
const floats = (value: Uint8Array): Float32Array =>
  new Float32Array(Uint8Array.from(value).buffer, 0, Math.floor(value.byteLength / FLOAT_BYTES))

const halves = (value: unknown): Float16Array | undefined =>
  value instanceof Uint8Array ? new Float16Array(value.buffer, value.byteOffset, value.byteLength / HALF_BYTES) : undefined

function unit(vector: Float32Array): Float32Array | undefined {
  const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0))
  return length > 0 && Number.isFinite(length) ? vector.map((value) => value / length) : undefined
}

function dot(a: Float32Array, b: Float16Array): number {
  let sum = 0
  for (let at = 0; at < a.length; at += 1) sum += (a[at] ?? 0) * (b[at] ?? 0)
  return sum
}
