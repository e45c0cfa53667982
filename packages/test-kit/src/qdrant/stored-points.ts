/** A request that Qdrant refuses. */
export class Refusal extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

export interface SparseVector {
  readonly indices: readonly number[]
  readonly values: readonly number[]
}

export type NamedVectors = Record<string, readonly number[] | SparseVector>

export interface StoredPoint {
  readonly id: string
  readonly vector: NamedVectors
  payload: Record<string, unknown>
}

export interface CollectionConfig {
  readonly vectors?: Readonly<Record<string, { readonly size: number; readonly distance: string }>>
  readonly sparse_vectors?: Readonly<Record<string, { readonly modifier?: string | null }>>
}

export type Condition = Readonly<Record<string, unknown>>
type OneOrMore = Condition | readonly Condition[] | null | undefined
export interface Filter {
  readonly must?: OneOrMore
  readonly should?: OneOrMore
  readonly must_not?: OneOrMore
}

/** Points of one collection with what Qdrant does to them. */
export class StoredPoints {
  readonly config: CollectionConfig
  readonly points = new Map<string, StoredPoint>()
  /** Schemas by field. */
  readonly indexes = new Map<string, unknown>()

  constructor(config: CollectionConfig) {
    for (const { distance } of Object.values(config.vectors ?? {}))
      if (distance !== 'Cosine') throw new Refusal(501, `this server does not compute ${distance}`)
    this.config = config
  }

  upsert(points: readonly StoredPoint[]): void {
    for (const point of points) for (const [name, vector] of Object.entries(point.vector)) this.#check(name, vector)
    for (const { id, vector, payload } of points) {
      const key = id.toLowerCase()
      this.points.set(key, { id: key, vector, payload: payload ?? {} })
    }
  }

  /** By their ids, as Qdrant scrolls. */
  matching(filter: Filter | null | undefined): StoredPoint[] {
    const found = [...this.points.values()].filter((point) => this.matches(point, filter))
    return found.sort((a, b) => (a.id < b.id ? -1 : 1))
  }

  matches(point: StoredPoint, filter: Filter | null | undefined): boolean {
    const { must, should, must_not } = filter ?? {}
    const holds = (condition: Condition) => this.#holds(point, condition)
    const any = listOf(should)
    return listOf(must).every(holds) && !listOf(must_not).some(holds) && (any.length === 0 || any.some(holds))
  }

  #holds(point: StoredPoint, condition: Condition): boolean {
    const { key, match, range, has_id, has_vector } = condition
    if (Array.isArray(has_id)) return has_id.some((id) => String(id).toLowerCase() === point.id)
    if (typeof has_vector === 'string') return point.vector[has_vector] !== undefined
    if (typeof key !== 'string') return this.matches(point, condition)
    if (!this.indexes.has(key)) throw new Refusal(400, `Bad request: Index required but not found for "${key}"`)
    const given = point.payload[key]
    const values: unknown[] = Array.isArray(given) ? given : given === undefined || given === null ? [] : [given]
    if (isRecord(match)) return values.some((value) => isMatch(value, match))
    if (isRecord(range)) return values.some((value) => typeof value === 'number' && isWithin(value, range))
    throw new Refusal(501, `this server does not know the condition ${JSON.stringify(condition)}`)
  }

  #check(name: string, vector: readonly number[] | SparseVector): void {
    const dense = this.config.vectors?.[name]
    if (dense) {
      if ('indices' in vector) throw new Refusal(400, `Wrong input: Vector ${name} is dense`)
      if (vector.length !== dense.size)
        throw new Refusal(400, `Wrong input: Vector dimension error: expected dim: ${dense.size}, got ${vector.length}`)
      return
    }
    if (!this.config.sparse_vectors?.[name]) throw new Refusal(400, `Wrong input: Not existing vector name error: ${name}`)
    checkSparse(vector)
  }
}

export function checkSparse(vector: readonly number[] | SparseVector): SparseVector {
  if (!('indices' in vector)) throw new Refusal(400, 'Wrong input: Conversion between sparse and regular vectors failed')
  if (vector.indices.length !== vector.values.length)
    throw new Refusal(422, 'Validation error in JSON body: must be the same length as indices')
  if (new Set(vector.indices).size !== vector.indices.length)
    throw new Refusal(422, 'Validation error in JSON body: must be unique')
  return vector
}

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const listOf = (given: OneOrMore): readonly Condition[] =>
  given === null || given === undefined ? [] : Array.isArray(given) ? given : [given as Condition]

function isMatch(value: unknown, match: Record<string, unknown>): boolean {
  if ('value' in match) return value === match['value']
  if (Array.isArray(match['any'])) return match['any'].includes(value)
  throw new Refusal(501, `this server does not know the match ${JSON.stringify(match)}`)
}

const isWithin = (value: number, { lt, lte, gt, gte }: Record<string, unknown>): boolean =>
  (typeof lt !== 'number' || value < lt) &&
  (typeof lte !== 'number' || value <= lte) &&
  (typeof gt !== 'number' || value > gt) &&
  (typeof gte !== 'number' || value >= gte)
