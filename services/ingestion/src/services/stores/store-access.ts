import { AppError } from '@youworker/contracts/errors'
import type { CollectionRow } from '@youworker/database/owners/ingestion/tables'
import type { UserContext } from '@youworker/messaging/requests/context'
import type { IngestionRepositories, IngestionUnitOfWork } from '../../unit-of-work.ts'
import { notFound, type SpaceAccess } from '../space-access.ts'

/** Finds vector stores among the collections of a caller's spaces. */
export class StoreAccess {
  readonly #uow: IngestionUnitOfWork
  readonly #access: SpaceAccess

  constructor({ uow, access }: { readonly uow: IngestionUnitOfWork; readonly access: SpaceAccess }) {
    this.#uow = uow
    this.#access = access
  }

  /** Throws `COLLECTION_NOT_FOUND`. */
  async find(storeId: string, context: UserContext): Promise<CollectionRow> {
    const { found, spaces } = await this.#access.find(context, ({ ids }) =>
      this.#uow.in(ids).read(({ stores }) => stores.get(storeId)),
    )
    if (!found) throw notFound(spaces, noStore())
    return found
  }

  /** Throws `COLLECTION_NOT_FOUND` when one is missing. */
  async findAll(storeIds: readonly string[], context: UserContext): Promise<CollectionRow[]> {
    const wanted = new Set(storeIds)
    const { found, spaces } = await this.#access.find(context, async ({ ids }) => {
      const rows = await this.#uow.in(ids).read(({ stores }) => stores.getAll([...wanted]))
      return rows.length === wanted.size ? rows : undefined
    })
    if (!found) throw notFound(spaces, noStore())
    return found
  }

  /** Reads what became of files of the stores: also of those that others put into a store of a group, whose runs are in their spaces. */
  async read<T>(
    stores: readonly Pick<CollectionRow, 'id' | 'space_id'>[],
    { caller: { user_id } }: UserContext,
    work: (repos: IngestionRepositories) => Promise<T>,
  ): Promise<T> {
    const spaces = [...new Set(stores.map(({ space_id }) => space_id))]
    const shared = stores.filter(({ space_id }) => space_id !== user_id).map(({ id }) => id)
    const others = shared.length === 0 ? [] : await this.#uow.in(spaces).read((repos) => repos.stores.attachers(shared, spaces))
    return this.#uow.in([...new Set([...spaces, user_id, ...others])]).read(work)
  }
}

export const noStore = () =>
  new AppError('COLLECTION_NOT_FOUND', 'There is no such vector store among yours; GET /v1/vector_stores lists them')

export const noFileInStore = () =>
  new AppError('DOCUMENT_NOT_FOUND', 'There is no such file in this vector store; GET /v1/vector_stores/{id}/files lists them')

export const noBatch = () =>
  new AppError('COLLECTION_NOT_FOUND', 'There is no such batch of files in this vector store, or another member began it')
