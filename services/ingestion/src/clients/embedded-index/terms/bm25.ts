import type { QueryTerm } from '../../../analysis/query.ts'

const K1 = 1.2
const B = 0.75
const LEAST_IDF = 1e-6

/** What is known of the chunks of a space. A `length` of 0 stands for a chunk that is gone. */
export interface ChunkLengths {
  readonly lengths: Uint16Array
  readonly chunks: number
  readonly total: number
}

let scratch = {
  scores: new Float64Array(0),
  counts: new Uint16Array(0),
  required: new Uint8Array(0),
  excluded: new Uint8Array(0),
}

function cleared(size: number): typeof scratch {
  if (scratch.scores.length < size) {
    const room = Math.ceil(size * 1.25)
    scratch = {
      scores: new Float64Array(room),
      counts: new Uint16Array(room),
      required: new Uint8Array(room),
      excluded: new Uint8Array(room),
    }
  }
  for (const array of Object.values(scratch)) array.fill(0, 0, size)
  return scratch
}

/**
 * Okapi BM25 (Robertson and Zaragoza 2009; k1 = 1.2, b = 0.75) of all chunks, term by term: adding up 100,000 postings takes less than
 * looking for those that could be left out. The result is valid until the next call.
 */
export function bm25(
  terms: readonly QueryTerm[],
  { lengths, chunks, total }: ChunkLengths,
  postingsOf: (form: string) => readonly Uint32Array[],
): Float64Array {
  const { scores, counts, required, excluded } = cleared(lengths.length)
  const mean = total / Math.max(1, chunks)
  let musts = 0
  for (const { forms, weight, use } of terms) {
    const found = countsOf(forms.flatMap(postingsOf), lengths, counts)
    const idf = idfOf(chunks, found.length)
    if (use === 'must') musts += 1
    for (const id of found) {
      const count = counts[id] ?? 0
      counts[id] = 0
      if (use === 'not') excluded[id] = 1
      else {
        if (use === 'must') required[id] = (required[id] ?? 0) + 1
        const norm = K1 * (1 - B + (B * (lengths[id] ?? 0)) / mean)
        scores[id] = (scores[id] ?? 0) + (weight * idf * count * (K1 + 1)) / (count + norm)
      }
    }
  }
  for (let id = 0; id < lengths.length; id += 1) if (excluded[id] === 1 || (required[id] ?? 0) < musts) scores[id] = 0
  return scores
}

/** A word in several forms counts as one. Leaves the counts in `counts`, by chunk. */
function countsOf(parts: readonly Uint32Array[], lengths: Uint16Array, counts: Uint16Array): Uint32Array {
  const found = new Uint32Array(parts.reduce((sum, part) => sum + part.length, 0))
  let size = 0
  for (const part of parts) {
    for (let at = 0; at < part.length; at += 1) {
      const posting = part[at] ?? 0
      const id = posting >>> 8
      if ((lengths[id] ?? 0) === 0) continue
      const before = counts[id] ?? 0
      if (before === 0) {
        found[size] = id
        size += 1
      }
      counts[id] = before + (posting & 255)
    }
  }
  return found.subarray(0, size)
}

export function idfOf(chunks: number, having: number): number {
  return Math.max(LEAST_IDF, Math.log((chunks - having + 0.5) / (having + 0.5)))
}
