import { payloadOf, type PointQuery, queryPoints } from './query-points.ts'
import { type CollectionConfig, type Filter, Refusal, type StoredPoint, StoredPoints } from './stored-points.ts'

export interface Performed {
  readonly result: unknown
  /** Done after it was checked: at once, or later when nobody waits for it. */
  readonly write?: () => void
}

interface AliasActions {
  readonly actions: readonly {
    readonly create_alias?: { readonly alias_name: string; readonly collection_name: string }
    readonly delete_alias?: { readonly alias_name: string }
  }[]
}

interface Selected {
  readonly points?: readonly string[] | null
  readonly filter?: Filter | null
}

interface ScrollRequest extends Selected {
  readonly offset?: string | null
  readonly limit?: number | null
  readonly with_payload?: boolean | readonly string[]
}

const COMPLETED = { operation_id: 1, status: 'completed' }

/** Of every operation that is served. What they take was checked against the description of the API before. */
interface Bodies {
  readonly create: CollectionConfig
  readonly index: { readonly field_name: string; readonly field_schema: unknown }
  readonly upsert: { readonly points: readonly StoredPoint[] }
  readonly payload: Selected & { readonly payload: Record<string, unknown> }
  readonly retrieve: { readonly ids: readonly string[]; readonly with_payload?: boolean | readonly string[] }
  readonly query: { readonly searches: readonly PointQuery[] }
}

/** The collections of a Qdrant, and the aliases that name them. */
export class Collections {
  readonly all = new Map<string, StoredPoints>()
  readonly aliases = new Map<string, string>()
  readonly #version: string

  constructor(version: string) {
    this.#version = version
  }

  /** All points of all collections. */
  points(): StoredPoint[] {
    return [...this.all.values()].flatMap(({ points }) => [...points.values()])
  }

  perform(operation: string, name: string | undefined, body: object): Performed {
    if (operation === 'GET /')
      return { result: { title: 'qdrant - vector search engine', version: this.#version, commit: 'test' } }
    if (operation === 'GET /aliases') return { result: { aliases: this.#aliasList() } }
    if (operation === 'POST /collections/aliases') return { result: true, write: this.#aliasChange(body as AliasActions) }
    if (operation === 'PUT /collections/{collection_name}') return this.#create(name ?? '', body as Bodies['create'])
    const collection = this.#get(name ?? '')
    switch (operation) {
      case 'GET /collections/{collection_name}':
        return { result: infoOf(collection) }
      case 'DELETE /collections/{collection_name}':
        return { result: true, write: () => void this.all.delete(name ?? '') }
      case 'PUT /collections/{collection_name}/index': {
        const { field_name, field_schema } = body as Bodies['index']
        return { result: COMPLETED, write: () => void collection.indexes.set(field_name, field_schema) }
      }
      default:
        return ofPoints(operation.replace('/collections/{collection_name}/points', ''), collection, body)
    }
  }

  #get(name: string): StoredPoints {
    const found = this.all.get(this.aliases.get(name) ?? name)
    if (!found) throw new Refusal(404, `Not found: Collection \`${name}\` doesn't exist!`)
    return found
  }

  #create(name: string, config: CollectionConfig): Performed {
    if (this.all.has(name)) throw new Refusal(409, `Wrong input: Collection \`${name}\` already exists!`)
    const made = new StoredPoints(config)
    return { result: true, write: () => void this.all.set(name, made) }
  }

  #aliasList() {
    return [...this.aliases].map(([alias_name, collection_name]) => ({ alias_name, collection_name }))
  }

  #aliasChange({ actions }: AliasActions): () => void {
    const next = new Map(this.aliases)
    for (const { create_alias, delete_alias } of actions) {
      if (delete_alias) next.delete(delete_alias.alias_name)
      if (!create_alias) continue
      const { alias_name, collection_name } = create_alias
      this.#get(collection_name)
      if (this.all.has(alias_name)) throw new Refusal(400, `Wrong input: a collection named ${alias_name} exists`)
      next.set(alias_name, collection_name)
    }
    return () => {
      this.aliases.clear()
      for (const [alias, collection] of next) this.aliases.set(alias, collection)
    }
  }
}

const infoOf = ({ config, indexes, points }: StoredPoints) => ({
  status: 'green',
  optimizer_status: 'ok',
  points_count: points.size,
  segments_count: 1,
  config: { params: config },
  payload_schema: Object.fromEntries([...indexes].map(([field, params]) => [field, { data_type: 'any', params, points: 0 }])),
})

function ofPoints(operation: string, collection: StoredPoints, body: object): Performed {
  switch (operation) {
    case 'PUT ': {
      const { points } = body as Bodies['upsert']
      return { result: COMPLETED, write: () => collection.upsert(points) }
    }
    case 'POST ': {
      const { ids, with_payload } = body as Bodies['retrieve']
      const found = ids.flatMap((id) => collection.points.get(id.toLowerCase()) ?? [])
      return { result: found.map((point) => ({ id: point.id, payload: payloadOf(point, with_payload ?? true) })) }
    }
    case 'POST /delete': {
      const remove = () => selected(collection, body).forEach(({ id }) => collection.points.delete(id))
      return { result: COMPLETED, write: remove }
    }
    case 'POST /payload': {
      const { payload } = body as Bodies['payload']
      const set = () => selected(collection, body).forEach((point) => (point.payload = { ...point.payload, ...payload }))
      return { result: COMPLETED, write: set }
    }
    case 'POST /scroll':
      return { result: scrolled(collection, body) }
    case 'POST /count':
      return { result: { count: collection.matching((body as Selected).filter).length } }
    case 'POST /query/batch': {
      const { searches } = body as Bodies['query']
      return { result: searches.map((search) => ({ points: queryPoints(collection, search) })) }
    }
    default:
      throw new Refusal(404, `there is no ${operation}`)
  }
}

function selected(collection: StoredPoints, { points, filter }: Selected): StoredPoint[] {
  if (points) return points.flatMap((id) => collection.points.get(id.toLowerCase()) ?? [])
  return collection.matching(filter)
}

/** `offset` is the first point of the page. */
function scrolled(collection: StoredPoints, { filter, offset, limit, with_payload }: ScrollRequest) {
  const found = collection
    .matching(filter)
    .filter(({ id }) => offset === undefined || offset === null || id >= offset.toLowerCase())
  const page = found.slice(0, limit ?? 10)
  const points = page.map((point) => ({ id: point.id, payload: payloadOf(point, with_payload ?? true) }))
  return { points, next_page_offset: found[page.length]?.id ?? null }
}
