import type { DatabaseSync as SqliteFile } from 'node:sqlite'

export const LENGTH_TABLE = 'create table lengths (block integer primary key, data blob not null);'
const BLOCK = 1_024
const LONGEST = 65_535
const BYTES = 2

/** How many terms each chunk has, by its number: 0 stands for a number without a chunk. */
export class ChunkLengths {
  readonly #db: SqliteFile
  readonly #changed = new Map<number, Uint16Array>()

  constructor(db: SqliteFile) {
    this.#db = db
  }

  /** Returns what is counted. Written by `flush`. */
  set(id: number, length: number): number {
    const counted = Math.min(LONGEST, Math.max(1, length))
    this.#block(id)[id % BLOCK] = counted
    return counted
  }

  /** Returns the length that it had. */
  remove(id: number): number {
    const block = this.#block(id)
    const before = block[id % BLOCK] ?? 0
    block[id % BLOCK] = 0
    return before
  }

  flush(): void {
    const write = this.#db.prepare(
      'insert into lengths (block, data) values (?, ?) on conflict do update set data = excluded.data',
    )
    for (const [block, lengths] of this.#changed) write.run(block, new Uint8Array(lengths.buffer))
    this.#changed.clear()
  }

  all(): Uint16Array {
    const rows = this.#db.prepare('select block, data from lengths order by block').all()
    const all = new Uint16Array((Number(rows.at(-1)?.['block'] ?? -1) + 1) * BLOCK)
    for (const { block, data } of rows) all.set(lengthsOf(data), Number(block) * BLOCK)
    return all
  }

  #block(id: number): Uint16Array {
    const block = Math.floor(id / BLOCK)
    const known = this.#changed.get(block)
    if (known) return known
    const lengths = lengthsOf(this.#db.prepare('select data from lengths where block = ?').get(block)?.['data'])
    this.#changed.set(block, lengths)
    return lengths
  }
}

const lengthsOf = (value: unknown): Uint16Array<ArrayBuffer> => {
  const lengths = new Uint16Array(BLOCK)
  if (value instanceof Uint8Array) lengths.set(new Uint16Array(value.buffer, value.byteOffset, value.byteLength / BYTES))
  return lengths
}
