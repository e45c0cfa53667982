import type { Metadata } from '@youworker/contracts/common'
import { AppError } from '@youworker/contracts/errors'
import { ingestion } from '@youworker/contracts/ingestion'
import type { RowPage } from '@youworker/contracts/documents/stored-files'
import type { VectorStore } from '@youworker/contracts/documents/vector-stores'
import { recordAudit } from '@youworker/database/events/record-audit'
import type { CollectionRow } from '@youworker/database/owners/ingestion/tables'
import type { Sealer, SpaceSealer } from '@youworker/database/sealing/sealer'
import type { UserContext } from '@youworker/messaging/requests/context'
import type { FreeSpace } from '@youworker/runtime/health/free-space'
import { newId } from '@youworker/runtime/id'
import type { IngestionRepositories, IngestionUnitOfWork } from '../../unit-of-work.ts'
import { type CheckSpace, type SpaceAccess, whileGroupsAnswer } from '../space-access.ts'
import { attachFiles, type FileToAttach } from './attach-files.ts'
import { noStore, type StoreAccess } from './store-access.ts'
import { type Facts, openFacts, sealFacts, toStore } from './store-view.ts'

interface StoreParts {
  readonly uow: IngestionUnitOfWork
  readonly access: SpaceAccess
  readonly stores: StoreAccess
  readonly checkSpace: CheckSpace
  readonly sealer: Sealer
  readonly space: FreeSpace
  readonly wake: () => void
}

interface StoreFacts {
  readonly name?: string | undefined
  readonly description?: string | null | undefined
  readonly metadata?: Metadata | undefined
  readonly expires_after?: number | null | undefined
}

interface NewStore extends StoreFacts {
  readonly group_id?: string | undefined
  readonly files: readonly FileToAttach[]
}

/** Of a collection's name, in characters. */
const MAX_NAME = 128

/** Collections as vector stores of OpenAI's protocol. Deleting one is deleting the collection. */
export class StoreService {
  readonly #parts: StoreParts

  constructor(parts: StoreParts) {
    this.#parts = parts
  }

  async create({ group_id, files, ...input }: NewStore, context: UserContext): Promise<VectorStore> {
    const { uow, access, sealer: sealers, space, wake } = this.#parts
    const { user_id } = context.caller
    const space_id = group_id ?? user_id
    if (group_id !== undefined) await access.require(context, group_id)
    if (files.length > 0) await space.require()
    const sealer = await sealers.forSpace(space_id)
    const request = { ...input, group_id, files }
    const call = { user_id, subject: ingestion.createStore.subject, key: context.idempotencyKey, request }
    const { id } = await uow.in([...new Set([space_id, user_id])]).write((repos) =>
      repos.idempotency.once(call, async () => {
        if (await repos.index.isErased(space_id)) throw new AppError('GROUP_NOT_FOUND', 'This group was deleted')
        if (files.length > 0) await repos.index.next(space_id)
        const row = await add(repos, space_id, input, sealer)
        await attachFiles(repos, row, { files, user_id, sealer })
        return { id: row.id }
      }),
    )
    if (files.length > 0) wake()
    return this.get({ store_id: id }, context)
  }

  async list({ after, before, ...page }: RowPage, context: UserContext) {
    const { uow, access, stores } = this.#parts
    const { ids } = await access.of(context)
    const { rows, has_more } = await uow.in(ids).read(async (repos) => {
      const positionOf = async (id: string | undefined) => {
        const position = id === undefined ? undefined : await repos.stores.position(id)
        if (id !== undefined && !position) throw noStore()
        return position
      }
      return repos.stores.list(ids, { ...page, after: await positionOf(after), before: await positionOf(before) })
    })
    const uses = await stores.read(rows, context, (repos) => repos.stores.use(rows))
    const views: VectorStore[] = []
    for (const row of rows) {
      const sealer = await this.#parts.sealer.forSpace(row.space_id)
      views.push(toStore(row, openFacts(sealer, row), uses, context.caller.user_id))
    }
    return { stores: views, has_more }
  }

  async get({ store_id }: { readonly store_id: string }, context: UserContext): Promise<VectorStore> {
    return this.#view(await this.#parts.stores.find(store_id, context), context)
  }

  async update({ store_id, ...changes }: StoreFacts & { readonly store_id: string }, context: UserContext): Promise<VectorStore> {
    const { uow, stores, sealer: sealers } = this.#parts
    const { space_id } = await stores.find(store_id, context)
    await this.#requireAdmin(store_id, space_id, context)
    const sealer = await sealers.forSpace(space_id)
    const changed = await uow.in([space_id]).write(async (repos) => {
      const before = await repos.stores.lock(store_id)
      if (!before) throw noStore()
      const facts = factsOf({ ...openFacts(sealer, before), ...changes }, before.name)
      const { expires_after = before.expires_after } = changes
      if (space_id !== context.caller.user_id)
        recordAudit(repos.outbox, ingestion.auditRecorded, actOf(store_id, context, 'allowed'), context)
      return repos.stores.change(store_id, { facts: sealFacts(sealer, store_id, facts), expires_after })
    })
    return this.#view(changed, context)
  }

  async #view(row: CollectionRow, context: UserContext): Promise<VectorStore> {
    const { stores, sealer } = this.#parts
    const uses = await stores.read([row], context, (repos) => repos.stores.use([row]))
    return toStore(row, openFacts(await sealer.forSpace(row.space_id), row), uses, context.caller.user_id)
  }

  async #requireAdmin(storeId: string, spaceId: string, context: UserContext): Promise<void> {
    const { uow, checkSpace } = this.#parts
    const { user_id } = context.caller
    if (spaceId === user_id) return
    const { allowed, role } = await whileGroupsAnswer(() => checkSpace(user_id, spaceId))
    if (!allowed) throw noStore()
    if (role === 'admin') return
    const denied = actOf(storeId, context, 'denied')
    await uow.in([user_id]).write(async ({ outbox }) => recordAudit(outbox, ingestion.auditRecorded, denied, context))
    throw new AppError('NOT_GROUP_ADMIN', 'Only an admin of the group may change its vector stores; ask one of them')
  }
}

const actOf = (target_id: string, { caller }: UserContext, outcome: 'allowed' | 'denied') =>
  ({ actor_id: caller.user_id, action: 'collection.update', outcome, target_type: 'collection', target_id }) as const

/** A collection of its own, even when the space has one of the name. */
async function add(
  { stores }: IngestionRepositories,
  space_id: string,
  { expires_after = null, ...input }: StoreFacts,
  sealer: SpaceSealer,
): Promise<CollectionRow> {
  const id = newId()
  const own = `vs_${id}`
  const wanted = input.name !== undefined && input.name.length <= MAX_NAME ? [input.name] : []
  for (const name of [...wanted, own]) {
    const facts = sealFacts(sealer, id, factsOf({ ...input, name: input.name ?? '' }, name))
    const row = await stores.add({ id, space_id, name, facts, expires_after })
    if (row) return row
  }
  throw new Error('a new id is taken')
}

function factsOf({ name, description, metadata = {} }: StoreFacts, collection: string): Facts {
  const facts = { ...(description == null ? {} : { description }), metadata }
  return name === undefined || name === collection ? facts : { ...facts, name }
}
