import type { AccessRole, CollectionAccess } from '@youworker/contracts/documents/collection-access'
import type { Page } from '@youworker/contracts/common'
import { AppError } from '@youworker/contracts/errors'
import { ingestion } from '@youworker/contracts/ingestion'
import { recordAudit } from '@youworker/database/events/record-audit'
import type { UserContext } from '@youworker/messaging/requests/context'
import type { GrantRow } from '../../repositories/sharing/grant-repository.ts'
import type { LabelRow } from '../../repositories/label-repository.ts'
import type { IngestionUnitOfWork } from '../../unit-of-work.ts'
import { type CheckSpace, MOST_SHARED, notFound, type SharedWith, type SpaceAccess, whileGroupsAnswer } from '../space-access.ts'
import { type LabelAct, requireLabelRights } from './label-rights.ts'

/** Unknown ids are missing. */
export type DescribeUsers = (
  userIds: readonly string[],
) => Promise<readonly { readonly id: string; readonly username: string; readonly suspended: boolean }[]>

interface AccessParts {
  readonly uow: IngestionUnitOfWork
  readonly access: SpaceAccess
  readonly checkSpace: CheckSpace
  readonly shared: SharedWith
  readonly users: DescribeUsers
}

interface AccessId {
  readonly collection_id: string
  readonly user_id: string
}

const MOST_OF_COLLECTION = 1_000
const DELETED_USER = 'deleted user'

/** Lets users outside a space into one of its collections. It counts from the commit on: every request asks for it anew. */
export class CollectionAccessService {
  readonly #parts: AccessParts

  constructor(parts: AccessParts) {
    this.#parts = parts
  }

  async list({ collection_id, ...page }: Page & Pick<AccessId, 'collection_id'>, context: UserContext) {
    const { space_id } = await this.#own(collection_id, { action: 'collection.list-access' }, context)
    const { rows, total } = await this.#parts.uow.in([space_id]).read(({ grants }) => grants.list(space_id, collection_id, page))
    return { access: await this.#views(rows), total }
  }

  async get({ collection_id, user_id }: AccessId, context: UserContext): Promise<CollectionAccess> {
    const own = await this.#ownGrant({ collection_id, user_id }, context)
    const space_id = own?.space_id ?? (await this.#own(collection_id, { action: 'collection.list-access' }, context)).space_id
    const row = await this.#parts.uow.in([space_id]).read(({ grants }) => grants.get(space_id, collection_id, user_id))
    return this.#view(row)
  }

  async set({ collection_id, user_id, role }: AccessId & { readonly role: AccessRole }, context: UserContext) {
    const act = { action: 'collection.share', user_id }
    const { space_id, name } = await this.#own(collection_id, act, context)
    await this.#requireOutsider(space_id, user_id, context)
    const group_id = space_id === context.caller.user_id ? null : space_id
    const others = await this.#parts.uow.in([user_id]).read(({ grants }) => grants.countOf(user_id))
    const row = await this.#parts.uow.in([space_id]).write(async ({ grants, labels, outbox }) => {
      // Grants of one collection are made one after the other, and none of one that is deleted.
      if (!(await labels.lock('collections', collection_id))) throw noCollection()
      const isNew = (await grants.get(space_id, collection_id, user_id)) === undefined
      if (isNew && others >= MOST_SHARED) throw tooMany(`This user was let into ${MOST_SHARED} collections already`)
      const { total } = await grants.list(space_id, collection_id, { limit: 1, offset: 0 })
      if (isNew && total >= MOST_OF_COLLECTION)
        throw tooMany(`A collection takes ${MOST_OF_COLLECTION} users; make a group of them`)
      const put = await grants.put({ collection_id, space_id, user_id, group_id, name, role })
      outbox.add(ingestion.collectionShared, { collection_id, user_id, space_id, role }, context)
      recordAudit(outbox, ingestion.auditRecorded, { ...actOf(act, collection_id, context), outcome: 'allowed' }, context)
      return put
    })
    return this.#view(row)
  }

  async remove({ collection_id, user_id }: AccessId, context: UserContext): Promise<Record<string, never>> {
    const act = { action: 'collection.unshare', user_id }
    const own = await this.#ownGrant({ collection_id, user_id }, context)
    const space_id = own?.space_id ?? (await this.#own(collection_id, act, context)).space_id
    await this.#parts.uow.in([space_id]).write(async ({ grants, outbox }) => {
      if (!(await grants.remove(space_id, collection_id, user_id))) throw notLetIn()
      outbox.add(ingestion.collectionUnshared, { collection_id, user_id, space_id }, context)
      recordAudit(outbox, ingestion.auditRecorded, { ...actOf(act, collection_id, context), outcome: 'allowed' }, context)
    })
    return {}
  }

  /** The collection of a space in which the caller may let others in. */
  async #own(id: string, act: ActParts, context: UserContext): Promise<LabelRow> {
    const { uow, access } = this.#parts
    const { found, spaces } = await access.find(context, ({ ids }) =>
      uow.in(ids).read(({ labels }) => labels.find('collections', id)),
    )
    if (!found) throw notFound(spaces, noCollection())
    const asked = { spaceId: found.space_id, act: actOf(act, id, context), notThere: noCollection }
    await requireLabelRights(this.#parts, asked, context)
    return found
  }

  /** Whoever was let in sees that, and may leave. */
  async #ownGrant({ collection_id, user_id }: AccessId, { caller }: UserContext) {
    if (user_id !== caller.user_id) return undefined
    return (await this.#parts.shared(user_id)).find(({ id }) => id === collection_id)
  }

  async #requireOutsider(spaceId: string, userId: string, { caller }: UserContext): Promise<void> {
    if (userId === caller.user_id)
      throw new AppError('VALIDATION_ERROR', 'user_id: is yourself; you have this collection already')
    const [user] = await this.#parts.users([userId])
    if (!user) throw new AppError('USER_NOT_FOUND', 'There is no user with this id')
    if (user.suspended) throw new AppError('VALIDATION_ERROR', 'user_id: this account is suspended; root can end that')
    if (spaceId === caller.user_id) return
    const { allowed } = await whileGroupsAnswer(() => this.#parts.checkSpace(userId, spaceId))
    if (allowed) throw new AppError('VALIDATION_ERROR', 'user_id: is a member of the group, who reads all of it already')
  }

  async #view(row: GrantRow | undefined): Promise<CollectionAccess> {
    const [view] = row ? await this.#views([row]) : []
    if (!view) throw notLetIn()
    return view
  }

  async #views(rows: readonly GrantRow[]): Promise<CollectionAccess[]> {
    const users = rows.length === 0 ? [] : await this.#parts.users(rows.map(({ user_id }) => user_id))
    const names = new Map(users.map(({ id, username }) => [id, username]))
    return rows.map(({ collection_id, user_id, role, created_at }) => {
      return { collection_id, user_id, username: names.get(user_id) ?? DELETED_USER, role, created_at }
    })
  }
}

interface ActParts {
  readonly action: string
  readonly user_id?: string
}

const actOf = ({ action, user_id }: ActParts, collectionId: string, { caller }: UserContext): LabelAct => ({
  actor_id: caller.user_id,
  action,
  target_type: 'collection',
  target_id: user_id === undefined ? collectionId : `${collectionId}/${user_id}`,
})

const noCollection = () =>
  new AppError('COLLECTION_NOT_FOUND', 'There is no such collection among yours; GET /v1/collections lists them')
const notLetIn = () => new AppError('USER_NOT_FOUND', 'This user was not let into the collection')
const tooMany = (why: string) => new AppError('CONFLICT', `${why}; take some away first`)
