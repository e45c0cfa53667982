import { hash } from 'node:crypto'
import type { Schemas } from '@qdrant/js-client-rest'
import { countTerms } from '../../analysis/count-terms.ts'
import type { IndexEntry } from '../../services/search/search-index.ts'

/** Names of the vectors of a point. */
export const DENSE = 'dense'
export const TEXT = 'text'

/** A point has no text: only numbers that stand for terms, and a vector. */
export interface ChunkPayload {
  readonly [key: string]: unknown
  readonly space_id: string
  readonly document_id: string
  readonly generation: number
  /** Of the change that it came with: an older change never removes it. */
  readonly seq: number
  /** Of the state of its space. */
  readonly part: string
  /** By which terms are required, left out and counted: a sparse vector can do none of that. */
  readonly terms: readonly number[]
}

const K1 = 1.2
const B = 0.75
/**
 * What counts as a chunk of usual length, because a vector cannot change with the mean of its space. Measured between 80 and 256 (see
 * docs/decisions): as good as the mean of short texts and of long ones.
 */
const USUAL_LENGTH = 128

/** The number of a term's dimension in sparse vectors. */
export const termId = (term: string): number => hash('sha256', term, 'buffer').readUInt32LE(0)

/** A point for a chunk; its dense vector is left out when the collection is of another model. */
export function pointOf(
  entry: IndexEntry,
  { space_id, part, size }: { space_id: string; part: string; size: number },
): Schemas['PointStruct'] {
  const { chunk_id, document_id, generation, seq, vector } = entry
  const text = textVector(entry)
  const payload: ChunkPayload = { space_id, document_id, generation, seq, part, terms: text.indices }
  const dense = vector && denseVector(vector, size)
  return {
    id: chunk_id,
    vector: { ...(dense ? { [DENSE]: dense } : {}), ...(text.indices.length > 0 ? { [TEXT]: text } : {}) },
    payload,
  }
}

/** Numbers of little-endian float32; `undefined` when there are not `size` of them. */
export function denseVector(bytes: Uint8Array, size: number): number[] | undefined {
  if (bytes.byteLength !== size * Float32Array.BYTES_PER_ELEMENT) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Array.from({ length: size }, (_, at) => view.getFloat32(at * Float32Array.BYTES_PER_ELEMENT, true))
}

/** What each term adds by Okapi BM25 but for its rarity, which depends on the other chunks (k1 = 1.2, b = 0.75). */
function textVector({ heading, body }: IndexEntry): Schemas['SparseVector'] {
  const { counts, length } = countTerms(heading, body)
  const norm = K1 * (1 - B + (B * length) / USUAL_LENGTH)
  const weights = new Map<number, number>()
  for (const [term, count] of counts) weights.set(termId(term), (count * (K1 + 1)) / (count + norm))
  return { indices: [...weights.keys()], values: [...weights.values()] }
}
