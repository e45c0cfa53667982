import type { QueryTerm } from '../../../analysis/query.ts'

const K1 = 1.2
const B = 0.75
const LEAST_IDF = 1e-6

/** What is known of the chunks of a space. */
export interface ScoredSpace {
  /** Of each chunk by its number; 0 for one that is gone. */
  readonly lengths: Uint16Array
  /** What its length adds to how often it has a term; see {@link normsOf}. */
  readonly norms: Float64Array
  readonly chunks: number
  /** There are no postings of chunks that are gone. */
  readonly isNoneGone: boolean
}

/** `total`: of all lengths. */
export function normsOf(lengths: Uint16Array, chunks: number, total: number): Float64Array {
  const mean = total / Math.max(1, chunks)
  const norms = new Float64Array(lengths.length)
  for (let id = 0; id < norms.length; id += 1) norms[id] = K1 * (1 - B + (B * (lengths[id] ?? 0)) / mean)
  return norms
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
  space: ScoredSpace,
  postingsOf: (form: string) => readonly Uint32Array[],
): Float64Array {
  const { lengths, norms, chunks } = space
  const { scores, counts, required, excluded } = cleared(lengths.length)
  let musts = 0
  let isPicky = false
  for (const { forms, weight, use } of terms) {
    const [only, ...others] = forms
    if (use === 'should' && only !== undefined && others.length === 0) {
      addTerm(scores, space, postingsOf(only), weight)
      continue
    }
    if (use !== 'should') isPicky = true
    const found = countsOf(forms.flatMap(postingsOf), lengths, counts)
    const idf = idfOf(chunks, found.length)
    if (use === 'must') musts += 1
    for (const id of found) {
      const count = counts[id] ?? 0
      counts[id] = 0
      if (use === 'not') excluded[id] = 1
      else {
        if (use === 'must') required[id] = (required[id] ?? 0) + 1
        scores[id] = (scores[id] ?? 0) + (weight * idf * count * (K1 + 1)) / (count + (norms[id] ?? 0))
      }
    }
  }
  if (!isPicky) return scores
  for (let id = 0; id < lengths.length; id += 1) if (excluded[id] === 1 || (required[id] ?? 0) < musts) scores[id] = 0
  return scores
}

/** A term of one form, the usual: no chunk comes twice. Chunks that are gone get a score that is not looked at. */
function addTerm(
  scores: Float64Array,
  { lengths, norms, chunks, isNoneGone }: ScoredSpace,
  parts: readonly Uint32Array[],
  weight: number,
) {
  let having = 0
  for (const part of parts) {
    if (isNoneGone) having += part.length
    else for (let at = 0; at < part.length; at += 1) having += (lengths[(part[at] ?? 0) >>> 8] ?? 0) > 0 ? 1 : 0
  }
  const most = weight * idfOf(chunks, having) * (K1 + 1)
  for (const part of parts) {
    for (let at = 0; at < part.length; at += 1) {
      const posting = part[at] ?? 0
      const count = posting & 255
      const id = posting >>> 8
      scores[id] = (scores[id] ?? 0) + (most * count) / (count + (norms[id] ?? 0))
    }
  }
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
