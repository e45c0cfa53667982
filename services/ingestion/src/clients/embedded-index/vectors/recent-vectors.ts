import type { DatabaseSync as SqliteFile } from 'node:sqlite'
import { dot, type Halves, halvesOf } from './vector-math.ts'

/** Vectors of chunks that have no codes yet: at most a few thousand, so each is compared. */
export interface RecentVectors {
  readonly byteLength: number
  compare(query: Float32Array, isAsked: Uint8Array, found: (id: number, score: number) => void): void
}

/** Those of the chunks from number `first` on. */
export function recentVectors(db: SqliteFile, first: number): RecentVectors {
  const ids: number[] = []
  const vectors: Halves[] = []
  let byteLength = 0
  for (const { id, vector } of db.prepare('select id, vector from vectors where id >= ?').iterate(first)) {
    const half = halvesOf(vector)
    if (!half) continue
    ids.push(Number(id))
    vectors.push(half)
    byteLength += half.byteLength
  }
  return {
    byteLength,
    compare(query, isAsked, found) {
      vectors.forEach((vector, n) => {
        const id = ids[n] ?? 0
        if (isAsked[id] === 1 && vector.length === query.length) found(id, dot(query, vector))
      })
    },
  }
}
