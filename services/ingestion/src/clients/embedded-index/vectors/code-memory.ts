import { readFile } from 'node:fs/promises'
import { type AskedColumns, BLOCK } from './vector-codes.ts'

const PAGE = 64 * 1024
/** See scan.wat. */
const OFFSETS = PAGE
const SUMS = 2 * PAGE
const CODES = 3 * PAGE
const TABLE_BYTES = 32
/** The tables of more columns have no room. */
export const MOST_COLUMNS = PAGE / TABLE_BYTES

const compiled = await WebAssembly.compile(await readFile(new URL('./scan.wasm', import.meta.url)))

/**
 * Codes of vectors, in memory that 16 chunks are compared in at a time. They are kept by the version of their centre, with which they
 * never change, and those of the version that was asked longest ago are forgotten first. All have one length: with another, as of another
 * embedding model, they are read anew.
 */
export class CodeMemory {
  readonly #memory: WebAssembly.Memory
  readonly #scan: (codes: number, groupBytes: number, columns: number) => void
  readonly #mostBytes: number
  /** Where each block of a version stands. The version that was asked last is at the end. */
  readonly #kept = new Map<number, (number | undefined)[]>()
  #free: number[] = []
  #length = 0
  #end = CODES
  #asked = { version: 0, groupBytes: 0, columns: 0, at: new Array<number | undefined>() }

  constructor(mostBytes: number) {
    const { memory, scan } = new WebAssembly.Instance(compiled).exports
    if (!(memory instanceof WebAssembly.Memory) || typeof scan !== 'function') throw new Error('scan.wasm is not what it was')
    this.#memory = memory
    this.#scan = scan
    this.#mostBytes = mostBytes
  }

  /** What the following calls of `sums` ask, of the codes of which version. */
  ask(version: number, groupBytes: number, { offsets, tables }: AskedColumns): void {
    new Int8Array(this.#memory.buffer, 0, tables.length).set(tables)
    new Uint32Array(this.#memory.buffer, OFFSETS, offsets.length).set(offsets)
    const at = this.#kept.get(version) ?? []
    this.#kept.delete(version)
    this.#kept.set(version, at)
    this.#asked = { version, groupBytes, columns: offsets.length, at }
  }

  /** For each chunk of a block, valid until the next call. */
  sums(block: number, read: () => Uint8Array): Int16Array {
    const { at, groupBytes, columns } = this.#asked
    this.#scan(at[block] ?? this.#write(block, read()), groupBytes, columns)
    return new Int16Array(this.#memory.buffer, SUMS, BLOCK)
  }

  #write(block: number, codes: Uint8Array): number {
    const { version, at } = this.#asked
    if (codes.byteLength !== this.#length) {
      this.#kept.clear()
      this.#kept.set(version, at)
      at.length = 0
      this.#free = []
      this.#length = codes.byteLength
      this.#end = CODES
    }
    const to = this.#room() ?? at.findLast((offset) => offset !== undefined) ?? CODES
    // When there is no room but that of the same version, the block that was read last has to go.
    const before = at.indexOf(to)
    if (before >= 0) at[before] = undefined
    new Uint8Array(this.#memory.buffer, to, codes.byteLength).set(codes)
    at[block] = to
    return to
  }

  #room(): number | undefined {
    const free = this.#free.pop()
    if (free !== undefined) return free
    const end = this.#end + this.#length
    if (end <= this.#mostBytes || this.#end === CODES) {
      const missing = end - this.#memory.buffer.byteLength
      if (missing > 0) this.#memory.grow(Math.ceil(missing / PAGE))
      this.#end = end
      return end - this.#length
    }
    const [oldest] = this.#kept
    if (!oldest || oldest[0] === this.#asked.version) return undefined
    this.#kept.delete(oldest[0])
    this.#free = oldest[1].filter((offset) => offset !== undefined)
    return this.#room()
  }
}
