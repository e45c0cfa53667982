import type { Schemas } from '@qdrant/js-client-rest'
import { AppError } from '@youworker/contracts/errors'
import { z } from 'zod'
import { DENSE, TEXT } from './points.ts'
import { isMissing, notQdrant, QdrantError } from './qdrant-error.ts'
import type { QdrantApi } from './qdrant-api.ts'

/** What tools and people find the collection by that is searched. */
export const ALIAS = 'youworker'
/** The oldest that has all that is asked of it. */
const OLDEST = '1.15'
/** From then on rarity can be that among the chunks of one space. */
const CORPUS_IDF = '1.19'
/** From then on an index of a field can do without graphs of its own. */
const ENABLE_HNSW = '1.17'

const Version = z.object({ title: z.string(), version: z.string() })
const Info = z.object({
  config: z.object({
    params: z.object({
      vectors: z.object({ [DENSE]: z.object({ size: z.int() }) }),
      sparse_vectors: z.object({ [TEXT]: z.object({ modifier: z.string().nullish() }) }),
    }),
  }),
  payload_schema: z.record(z.string(), z.unknown()),
})
const Aliases = z.object({ aliases: z.array(z.object({ alias_name: z.string(), collection_name: z.string() })) })
const Yes = z.boolean()
const Indexed = z.object({ status: z.string() })

export interface CollectionFacts {
  /** Numbers of a dense vector. */
  readonly size: number
  /** Qdrant weighs terms by their rarity itself. */
  readonly weighsRarity: boolean
}

/** The collection of one embedding model, made when it is first written to. */
export class Collection {
  readonly name: string
  readonly #api: QdrantApi
  readonly #sizeOf: () => Promise<number>
  #facts: CollectionFacts | undefined

  constructor(api: QdrantApi, name: string, sizeOf: () => Promise<number>) {
    this.#api = api
    this.name = name
    this.#sizeOf = sizeOf
  }

  /** `undefined` when there is none. */
  async facts(): Promise<CollectionFacts | undefined> {
    return (this.#facts ??= (await this.#info())?.facts)
  }

  /** It is gone: what was known of it does not count. */
  forget(): void {
    this.#facts = undefined
  }

  /** Makes what is missing of it. Several processes may do so at once. */
  async ensure(): Promise<CollectionFacts> {
    const version = await this.version()
    if (!(await this.#info())) await this.#create(version)
    const info = await this.#info()
    if (!info)
      throw new QdrantError('The search index (Qdrant) lost the collection that was just made; try again', {
        isDown: false,
        cause: undefined,
      })
    for (const [field, schema] of Object.entries(fieldsOf(version)))
      if (!(field in info.payload_schema)) await this.#index(field, schema)
    await this.#name()
    return (this.#facts = info.facts)
  }

  /** Makes it the one that the alias names, at once for all who read the alias. */
  async activate(): Promise<void> {
    const create = { create_alias: { alias_name: ALIAS, collection_name: this.name } }
    const isNamed = (await this.#aliases()).some(({ alias_name }) => alias_name === ALIAS)
    const actions = isNamed ? [{ delete_alias: { alias_name: ALIAS } }, create] : [create]
    await this.#api.write('update aliases', Yes, ({ updateAliases }, { init, timeout }) =>
      updateAliases({ actions, timeout }, init),
    )
  }

  /** Of Qdrant. Throws when it is too old. */
  async version(): Promise<string> {
    const { title, version } = await this.#api.probe('version', Version, ({ root }, { init }) => root({}, init))
    if (!title.toLowerCase().includes('qdrant')) throw notQdrant(this.#api.url, undefined)
    if (isAtLeast(version, OLDEST)) return version
    throw new AppError(
      'SERVICE_UNAVAILABLE',
      `The search index needs Qdrant ${OLDEST} or later, and this is ${version}. Whoever runs this system: update Qdrant`,
      { retryAfter: 60 },
    )
  }

  /** Only when no other one has it. */
  async #name(): Promise<void> {
    const aliases = await this.#aliases()
    if (!aliases.some(({ alias_name }) => alias_name === ALIAS)) await this.activate()
  }

  async #aliases() {
    const { aliases } = await this.#api.read('aliases', Aliases, ({ getCollectionsAliases }, { init }) =>
      getCollectionsAliases({}, init),
    )
    return aliases
  }

  async #info() {
    try {
      const info = await this.#api.read('collection', Info, ({ getCollection }, { init }) =>
        getCollection({ collection_name: this.name }, init),
      )
      const { vectors, sparse_vectors } = info.config.params
      const facts = { size: vectors[DENSE].size, weighsRarity: sparse_vectors[TEXT].modifier === 'idf' }
      return { facts, payload_schema: info.payload_schema }
    } catch (error) {
      if (isMissing(error)) return undefined
      throw error
    }
  }

  async #create(version: string): Promise<void> {
    const config = configOf(await this.#sizeOf(), version)
    try {
      await this.#api.write('create collection', Yes, ({ createCollection }, { init, timeout }) =>
        createCollection({ collection_name: this.name, ...config, timeout }, init),
      )
    } catch (error) {
      // Another process may have made it meanwhile: 409, and 400 before Qdrant had that.
      if (!(error instanceof QdrantError && [400, 409].includes(error.status ?? 0) && (await this.#info()))) throw error
    }
  }

  async #index(field_name: string, field_schema: Schemas['PayloadFieldSchema']): Promise<void> {
    await this.#api.write('create index', Indexed, ({ createFieldIndex }, { init }) =>
      createFieldIndex({ collection_name: this.name, field_name, field_schema, wait: true }, init),
    )
  }
}

/**
 * Every question is for one space, so there is no graph of all vectors but one for each space that is large enough (Qdrant's guide to
 * multitenancy). Vectors lie on disk and are compared by their int8 forms in memory first.
 */
const configOf = (size: number, version: string): Schemas['CreateCollection'] => ({
  vectors: { [DENSE]: { size, distance: 'Cosine', on_disk: true } },
  sparse_vectors: {
    [TEXT]: { index: { on_disk: true }, ...(isAtLeast(version, CORPUS_IDF) ? { modifier: 'idf' as const } : {}) },
  },
  hnsw_config: { m: 0, payload_m: 16 },
  quantization_config: { scalar: { type: 'int8', quantile: 0.99, always_ram: true } },
  on_disk_payload: true,
})

/** Every field that is filtered by. Tags, dates and the like stay in Postgres, which turns them into documents. */
function fieldsOf(version: string): Readonly<Record<string, Schemas['PayloadFieldSchema']>> {
  const graphs = isAtLeast(version, ENABLE_HNSW) ? { enable_hnsw: false } : {}
  return {
    space_id: { type: 'keyword', is_tenant: true, on_disk: true },
    document_id: { type: 'uuid', on_disk: true, ...graphs },
    terms: { type: 'integer', lookup: true, range: false, on_disk: true, ...graphs },
    seq: { type: 'integer', lookup: true, range: true, on_disk: true, ...graphs },
    part: { type: 'uuid', on_disk: true, ...graphs },
  }
}

function isAtLeast(version: string, least: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map((part) => Number.parseInt(part, 10))
  const [leastMajor = 0, leastMinor = 0] = least.split('.').map(Number)
  return major > leastMajor || (major === leastMajor && minor >= leastMinor)
}
