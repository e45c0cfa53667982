import { type AttributeFilter, type Attributes, passes } from '@youworker/contracts/documents/attribute-filter'
import type { SearchHit, SearchQuery } from '@youworker/contracts/documents/search'
import { AppError } from '@youworker/contracts/errors'
import type { CollectionRow } from '@youworker/database/owners/ingestion/tables'
import type { Sealer } from '@youworker/database/sealing/sealer'
import type { UserContext } from '@youworker/messaging/requests/context'
import type { IngestionRepositories, IngestionUnitOfWork } from '../../unit-of-work.ts'
import { fileName } from '../documents/document-path.ts'
import type { SpaceAccess } from '../space-access.ts'
import { StoreAccess } from './store-access.ts'
import { openAttributes } from './store-view.ts'

interface Parts {
  readonly uow: IngestionUnitOfWork
  readonly access: SpaceAccess
  readonly sealer: Sealer
}

interface InStores {
  /** Asks only the documents of the stores. */
  readonly query: SearchQuery
  readonly spaces: readonly string[]
  /** The hits with what their stores tell of the files. */
  told(hits: readonly SearchHit[]): Promise<SearchHit[]>
}

/** Documents of stores that one search looks through. */
const MAX_DOCUMENTS = 20_000
const NOTED_MS = 60_000
const DAY_MS = 86_400_000

/** Narrows searches to vector stores, and to those of their files whose attributes pass a filter. */
export class StoreSearch {
  readonly #parts: Parts
  readonly #stores: StoreAccess

  constructor(parts: Parts) {
    this.#parts = parts
    this.#stores = new StoreAccess(parts)
  }

  /** `undefined` for a search that names no stores. `spaceIds`: where the caller may look. Throws `COLLECTION_NOT_FOUND`. */
  async narrow(query: SearchQuery, spaceIds: readonly string[], context: UserContext): Promise<InStores | undefined> {
    const { collection_ids, filters } = query
    if (collection_ids === undefined) {
      if (filters === undefined) return undefined
      throw new AppError('VALIDATION_ERROR', 'filters: belong to collection_ids, whose files have attributes')
    }
    const stores = await this.#stores.findAll(collection_ids, context)
    const over = stores.find(isOver)
    if (over) throw new AppError('VALIDATION_ERROR', `The vector store vs_${over.id} has expired; change its expires_after`)
    await this.#noteUse(stores)
    const asked = stores.filter(({ space_id }) => spaceIds.includes(space_id))
    const wanted = query.document_ids && new Set(query.document_ids)
    const members = await this.#members(asked, filters)
    const document_ids = members.filter((id) => wanted?.has(id) ?? true)
    return {
      query: { ...query, document_ids },
      spaces: [...new Set(asked.map(({ space_id }) => space_id))],
      told: (hits) => this.#told(asked, hits),
    }
  }

  async #members(stores: readonly CollectionRow[], filters: AttributeFilter | undefined): Promise<string[]> {
    if (stores.length === 0) return []
    const open = await this.#opener(stores)
    const members = await this.#read(stores, ({ storeFiles }) => storeFiles.members(stores, MAX_DOCUMENTS + 1))
    if (members.length > MAX_DOCUMENTS)
      throw new AppError(
        'VALIDATION_ERROR',
        `These vector stores have more than ${MAX_DOCUMENTS} files together; ask fewer of them`,
      )
    const passed = filters === undefined ? members : members.filter((member) => passes(open(member), filters))
    return [...new Set(passed.map(({ document_id }) => document_id))]
  }

  async #told(stores: readonly CollectionRow[], hits: readonly SearchHit[]): Promise<SearchHit[]> {
    const ids = [...new Set(hits.map(({ document_id }) => document_id))]
    if (ids.length === 0) return []
    const open = await this.#opener(stores)
    const members = await this.#read(stores, ({ storeFiles }) => storeFiles.membersOf(stores, ids))
    const files = new Map<string, { name: string; attributes: Attributes }>()
    for (const member of members) {
      const { name, attributes } = files.get(member.document_id) ?? { name: fileName(member.path), attributes: {} }
      files.set(member.document_id, { name, attributes: { ...open(member), ...attributes } })
    }
    return hits.flatMap((hit) => {
      const file = files.get(hit.document_id)
      return file ? [{ ...hit, file }] : []
    })
  }

  #read<T>(stores: readonly CollectionRow[], work: (repos: IngestionRepositories) => Promise<T>): Promise<T> {
    return this.#parts.uow.in([...new Set(stores.map(({ space_id }) => space_id))]).read(work)
  }

  async #opener(stores: readonly CollectionRow[]) {
    const spaces = new Map(stores.map(({ id, space_id }) => [id, space_id]))
    const sealers = new Map<string, Awaited<ReturnType<Sealer['forSpace']>>>()
    for (const space of new Set(spaces.values())) sealers.set(space, await this.#parts.sealer.forSpace(space))
    return ({
      collection_id,
      document_id,
      attributes,
    }: {
      collection_id: string
      document_id: string
      attributes: Buffer | null
    }) => {
      const sealer = sealers.get(spaces.get(collection_id) ?? '')
      return sealer ? openAttributes(sealer, collection_id, document_id, attributes) : {}
    }
  }

  async #noteUse(stores: readonly CollectionRow[]): Promise<void> {
    const unnoted = stores.filter(
      ({ last_active_at }) => last_active_at === null || Date.parse(last_active_at) < Date.now() - NOTED_MS,
    )
    if (unnoted.length === 0) return
    const spaces = [...new Set(unnoted.map(({ space_id }) => space_id))]
    await this.#parts.uow.in(spaces).write(({ stores: rows }) => rows.noteUse(unnoted.map(({ id }) => id)))
  }
}

const isOver = ({ expires_after, last_active_at, created_at }: CollectionRow): boolean =>
  expires_after !== null && Date.parse(last_active_at ?? created_at) + expires_after * DAY_MS < Date.now()
