import { checkSparse, type Filter, Refusal, type SparseVector, type StoredPoint, type StoredPoints } from './stored-points.ts'

export interface PointQuery {
  readonly query?: readonly number[] | SparseVector
  readonly using?: string | null
  readonly filter?: Filter | null
  readonly limit?: number | null
  readonly with_payload?: boolean | readonly string[] | null
  readonly score_threshold?: number | null
  readonly params?: { readonly idf?: 'global' | { readonly corpus: Filter } | null } | null
}

export interface Scored {
  readonly id: string
  readonly version: number
  readonly score: number
  readonly payload?: Record<string, unknown> | null
}

/** The nearest points by one named vector, exactly; by a sparse one only those that share a dimension. */
export function queryPoints(collection: StoredPoints, asked: PointQuery): Scored[] {
  const { query, using, filter, limit, score_threshold, with_payload } = asked
  if (query === undefined || using === undefined || using === null) throw new Refusal(501, 'this server needs query and using')
  const scoreOf = collection.config.vectors?.[using]
    ? denseScore(collection, using, query)
    : sparseScore(collection, using, checkSparse(query), asked)
  const scored = collection.matching(filter).flatMap((point) => {
    const score = scoreOf(point)
    return score === undefined || score < (score_threshold ?? -Infinity) ? [] : [{ point, score }]
  })
  return scored
    .sort((a, b) => b.score - a.score)
    .slice(0, limit ?? 10)
    .map(({ point, score }) => ({ id: point.id, version: 1, score, payload: payloadOf(point, with_payload) }))
}

export function payloadOf({ payload }: StoredPoint, wanted: boolean | readonly string[] | null | undefined) {
  if (wanted === true) return payload
  if (!Array.isArray(wanted)) return null
  return Object.fromEntries(Object.entries(payload).filter(([name]) => wanted.includes(name)))
}

type ScoreOf = (point: StoredPoint) => number | undefined

function denseScore({ config }: StoredPoints, using: string, query: readonly number[] | SparseVector): ScoreOf {
  if ('indices' in query) throw new Refusal(400, 'Wrong input: Conversion between sparse and regular vectors failed')
  const { size } = config.vectors?.[using] ?? {}
  if (query.length !== size)
    throw new Refusal(400, `Wrong input: Vector dimension error: expected dim: ${size}, got ${query.length}`)
  return ({ vector }) => {
    const own = vector[using]
    return own === undefined || 'indices' in own ? undefined : cosine(query, own)
  }
}

function cosine(a: readonly number[], b: readonly number[]): number {
  const product = a.reduce((sum, value, at) => sum + value * (b[at] ?? 0), 0)
  const lengths = Math.hypot(...a) * Math.hypot(...b)
  return lengths === 0 ? 0 : product / lengths
}

function sparseScore(collection: StoredPoints, using: string, query: SparseVector, { params }: PointQuery): ScoreOf {
  const described = collection.config.sparse_vectors?.[using]
  if (!described) throw new Refusal(400, `Wrong input: Not existing vector name error: ${using}`)
  const idf = params?.idf
  const corpus = idf === undefined || idf === null || idf === 'global' ? undefined : idf.corpus
  const rarity = described.modifier === 'idf' ? rarities(collection, using, query, corpus) : () => 1
  const weights = new Map(query.indices.map((id, at) => [id, (query.values[at] ?? 0) * rarity(id)]))
  return ({ vector }) => {
    const own = vector[using]
    if (own === undefined || !('indices' in own)) return undefined
    const shared = own.indices.flatMap((id, at) => {
      const weight = weights.get(id)
      return weight === undefined ? [] : [weight * (own.values[at] ?? 0)]
    })
    return shared.length === 0 ? undefined : shared.reduce((sum, value) => sum + value, 0)
  }
}

/** As Qdrant computes the inverse document frequency: of all points that have the vector, or of those of a corpus. */
function rarities(collection: StoredPoints, using: string, query: SparseVector, corpus: Filter | undefined) {
  const asked = new Set(query.indices)
  const counts = new Map<number, number>()
  let all = 0
  for (const point of collection.points.values()) {
    const own = point.vector[using]
    if (own === undefined || !('indices' in own) || !collection.matches(point, corpus)) continue
    all += 1
    for (const id of own.indices) if (asked.has(id)) counts.set(id, (counts.get(id) ?? 0) + 1)
  }
  return (id: number): number => {
    const having = counts.get(id) ?? 0
    return Math.log((all - having + 0.5) / (having + 0.5) + 1)
  }
}
