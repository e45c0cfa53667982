/** A chunk and how often it has the term: the chunk's number in the upper 24 bits, the count in the lower 8. */
export type Posting = number

export const MAX_CHUNK = 2 ** 24 - 1
const HEADER = 1
const ENTRY = 3

/** Of two 32-bit hashes: among a million terms two are alike with a chance of 1 to 30 million. */
export interface TermKey {
  readonly first: number
  readonly second: number
}

/** FNV-1a over UTF-16 units, once from each of two bases, each mixed at the end as in MurmurHash3. */
export function keyOf(term: string): TermKey {
  let first = 0x811c9dc5
  let second = 0x9747b28c
  for (let at = 0; at < term.length; at += 1) {
    const unit = term.charCodeAt(at)
    first = Math.imul(first ^ unit, 0x01000193)
    second = Math.imul(second ^ unit, 0x85ebca6b)
  }
  return { first: mixed(first), second: mixed(second ^ term.length) }
}

function mixed(hash: number): number {
  const once = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  const twice = Math.imul(once ^ (once >>> 13), 0xc2b2ae35)
  return (twice ^ (twice >>> 16)) >>> 0
}

/** Terms with their postings. As 32-bit words: the number of terms; for each its two hashes and its number of postings; all postings. */
export class PostingPage {
  readonly #words: Uint32Array

  constructor(blob: Uint8Array) {
    // SQLite hands out each blob in a buffer of its own.
    this.#words = new Uint32Array(blob.buffer, blob.byteOffset, Math.floor(blob.byteLength / Uint32Array.BYTES_PER_ELEMENT))
  }

  get byteLength(): number {
    return this.#words.byteLength
  }

  countOf({ first, second }: TermKey): number {
    const words = this.#words
    const end = HEADER + (words[0] ?? 0) * ENTRY
    for (let entry = HEADER; entry < end; entry += ENTRY)
      if (words[entry] === first && words[entry + 1] === second) return words[entry + 2] ?? 0
    return 0
  }

  postingsOf({ first, second }: TermKey): Uint32Array | undefined {
    const words = this.#words
    const terms = words[0] ?? 0
    let from = HEADER + terms * ENTRY
    for (let entry = HEADER; entry < HEADER + terms * ENTRY; entry += ENTRY) {
      const count = words[entry + 2] ?? 0
      if (words[entry] === first && words[entry + 1] === second) return words.subarray(from, from + count)
      from += count
    }
    return undefined
  }

  *entries(): Generator<[TermKey, Uint32Array]> {
    const words = this.#words
    const terms = words[0] ?? 0
    let from = HEADER + terms * ENTRY
    for (let entry = HEADER; entry < HEADER + terms * ENTRY; entry += ENTRY) {
      const count = words[entry + 2] ?? 0
      yield [{ first: words[entry] ?? 0, second: words[entry + 1] ?? 0 }, words.subarray(from, from + count)]
      from += count
    }
  }
}

/** Collects postings, those of one term in ascending order of their chunks, and writes them as a page. */
export class PageBuilder {
  readonly #terms = new Map<number, { key: TermKey; parts: ArrayLike<Posting>[]; count: number }>()

  add(key: TermKey, postings: ArrayLike<Posting>): void {
    // Exact in a double: 53 of the 64 bits tell terms of one page apart.
    const id = key.first * 2 ** 21 + (key.second & (2 ** 21 - 1))
    const known = this.#terms.get(id)
    if (known) {
      known.parts.push(postings)
      known.count += postings.length
    } else this.#terms.set(id, { key, parts: [postings], count: postings.length })
  }

  get isEmpty(): boolean {
    return this.#terms.size === 0
  }

  build(): Uint8Array {
    const terms = [...this.#terms.values()]
    const postings = terms.reduce((sum, { count }) => sum + count, 0)
    const words = new Uint32Array(HEADER + terms.length * ENTRY + postings)
    words[0] = terms.length
    let entry = HEADER
    let at = HEADER + terms.length * ENTRY
    for (const { key, parts, count } of terms) {
      words.set([key.first, key.second, count], entry)
      entry += ENTRY
      for (const part of parts) {
        words.set(part, at)
        at += part.length
      }
    }
    return new Uint8Array(words.buffer)
  }
}
