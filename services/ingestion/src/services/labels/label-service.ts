import type { CursorPage } from '@youworker/contracts/common'
import type { Collection, Tag } from '@youworker/contracts/documents/labels'
import { AppError } from '@youworker/contracts/errors'
import { ingestion } from '@youworker/contracts/ingestion'
import { recordAudit } from '@youworker/database/events/record-audit'
import type { UserContext } from '@youworker/messaging/requests/context'
import { newId } from '@youworker/runtime/id'
import type { SharedCollection } from '../../repositories/sharing/grant-repository.ts'
import type { LabelRow, LabelTable, LabelUse } from '../../repositories/label-repository.ts'
import type { IngestionRepositories, IngestionUnitOfWork } from '../../unit-of-work.ts'
import { type CheckSpace, notFound, type SpaceAccess } from '../space-access.ts'
import { requireLabelRights } from './label-rights.ts'

interface LabelParts {
  readonly uow: IngestionUnitOfWork
  readonly access: SpaceAccess
  readonly checkSpace: CheckSpace
  /** Workers take the job at once, instead of at their next poll. */
  readonly wake: () => void
}

type LabelPage = CursorPage & { readonly group_id?: string | undefined }

export const LABELS_KIND = 'labels'

const ERRORS = {
  tags: () => new AppError('TAG_NOT_FOUND', 'There is no such tag among yours; GET /v1/tags lists them'),
  collections: () =>
    new AppError('COLLECTION_NOT_FOUND', 'There is no such collection among yours; GET /v1/collections lists them'),
} as const
const KINDS = { tags: 'tag', collections: 'collection' } as const

/** Tags and collections of spaces. A change of one is there at once; its documents follow in a job. */
export class LabelService {
  readonly #parts: LabelParts

  constructor(parts: LabelParts) {
    this.#parts = parts
  }

  async listTags(page: LabelPage, context: UserContext) {
    const { rows, uses, rest } = await this.#list('tags', page, context)
    return { tags: rows.map((row) => toTag(row, uses, context)), ...rest }
  }

  async listCollections(page: LabelPage, context: UserContext) {
    const { rows, uses, rest, shared } = await this.#list('collections', page, context)
    return { collections: rows.map((row) => withAccess(toCollection(row, uses, context), shared)), ...rest }
  }

  async createCollection(
    { name, group_id }: { readonly name: string; readonly group_id?: string | undefined },
    context: UserContext,
  ) {
    const space_id = group_id ?? context.caller.user_id
    if (group_id !== undefined) await this.#parts.access.require(context, group_id)
    return this.#parts.uow.in([space_id]).write(async ({ labels, index }) => {
      if (await index.isErased(space_id)) throw new AppError('GROUP_NOT_FOUND', 'This group was deleted')
      await labels.note('collections', space_id, [name])
      const row = await labels.named('collections', space_id, name)
      if (!row) throw ERRORS.collections()
      return toCollection(row, await labels.use('collections', [row]), context)
    })
  }

  async renameTag({ tag_id, name }: { readonly tag_id: string; readonly name: string }, context: UserContext) {
    return this.#change('tags', tag_id, 'tag.rename', context, async (repos, row) => {
      if (row.name === name) return { row }
      if (await repos.labels.named('tags', row.space_id, name))
        throw new AppError('CONFLICT', 'There is a tag of this name; merge this one into it: POST /v1/tags/{tag_id}/merge')
      await repos.labels.rename('tags', tag_id, name)
      return { row: { ...row, name }, new_name: name }
    })
  }

  async mergeTags({ tag_id, into }: { readonly tag_id: string; readonly into: string }, context: UserContext) {
    if (tag_id === into) throw new AppError('VALIDATION_ERROR', 'into: is the tag itself; name another one')
    return this.#change('tags', tag_id, 'tag.merge', context, async (repos, row) => {
      const target = await repos.labels.lock('tags', into)
      if (target?.space_id !== row.space_id) throw ERRORS.tags()
      await repos.labels.delete('tags', tag_id)
      return { row: target, new_name: target.name }
    })
  }

  async deleteTag({ tag_id }: { readonly tag_id: string }, context: UserContext) {
    const { task_id } = await this.#change('tags', tag_id, 'tag.delete', context, async (repos, row) => {
      await repos.labels.delete('tags', tag_id)
      return { row, new_name: null }
    })
    return task_id === undefined ? {} : { task_id }
  }

  async deleteCollection({ collection_id }: { readonly collection_id: string }, context: UserContext) {
    const { task_id } = await this.#change('collections', collection_id, 'collection.delete', context, async (repos, row) => {
      for (const { user_id, space_id } of await repos.grants.removeAll(row.space_id, collection_id))
        repos.outbox.add(ingestion.collectionUnshared, { collection_id, user_id, space_id }, context)
      await repos.labels.delete('collections', collection_id)
      return { row, new_name: null }
    })
    return task_id === undefined ? {} : { task_id }
  }

  async #list(table: LabelTable, { group_id, ...page }: LabelPage, context: UserContext) {
    const { uow, access } = this.#parts
    // Tags are those of whole spaces.
    const shown = table === 'collections' && group_id === undefined ? await access.readable(context) : undefined
    const ids = shown?.all ?? (group_id === undefined ? (await access.of(context)).ids : [group_id])
    if (group_id !== undefined) await access.require(context, group_id)
    const shared = shown?.shared ?? []
    return uow.in(shown?.ids ?? ids, shared).read(async ({ labels }) => {
      const { rows, ...rest } = await labels.list(table, ids, page)
      return { rows, uses: await labels.use(table, rows), rest, shared }
    })
  }

  /** `work` tells what the label is called from now on in documents; without `new_name` they keep it, with `null` they lose it. */
  async #change(
    table: LabelTable,
    id: string,
    action: string,
    context: UserContext,
    work: (repos: IngestionRepositories, row: LabelRow) => Promise<{ row: LabelRow; new_name?: string | null }>,
  ): Promise<Tag & { task_id?: string }> {
    const { uow, access, wake } = this.#parts
    const { user_id } = context.caller
    const { found, spaces } = await access.find(context, ({ ids }) => uow.in(ids).read(({ labels }) => labels.find(table, id)))
    if (!found) throw notFound(spaces, ERRORS[table]())
    const { space_id } = found
    const act = { actor_id: user_id, action, target_type: KINDS[table], target_id: id } as const
    await requireLabelRights(this.#parts, { spaceId: space_id, act, notThere: ERRORS[table] }, context)
    const changed = await uow.in([space_id]).write(async (repos) => {
      // A job of the space that relabels has ended, or begins after this.
      const before = await repos.labels.lock(table, id)
      if (!before) throw ERRORS[table]()
      const { row, new_name } = await work(repos, before)
      recordAudit(repos.outbox, ingestion.auditRecorded, { ...act, outcome: 'allowed' }, context)
      const [use] = await repos.labels.use(table, [before])
      const task_id = new_name === undefined ? undefined : newId()
      if (task_id !== undefined && new_name !== undefined) {
        const job = { id: task_id, kind: LABELS_KIND, user_id, space_id, payload: {}, queue_key: space_id }
        await repos.jobs.add({ ...job, progress_total: use?.documents ?? 0 })
        await repos.labels.addChange({ id: task_id, space_id, kind: KINDS[table], old_name: before.name, new_name })
      }
      return { ...toTag(row, await repos.labels.use(table, [row]), context), ...(task_id === undefined ? {} : { task_id }) }
    })
    if (changed.task_id !== undefined) wake()
    return changed
  }
}

function withAccess(collection: Collection, shared: readonly SharedCollection[]): Collection {
  const access = shared.find(({ id }) => id === collection.id)?.role
  return access === undefined ? collection : { ...collection, access, group_id: null }
}

const useOf = ({ space_id, name }: LabelRow, uses: readonly LabelUse[]) =>
  uses.find((use) => use.space_id === space_id && use.name === name)

function toTag(row: LabelRow, uses: readonly LabelUse[], { caller }: UserContext): Tag {
  const { id, name, space_id, created_at } = row
  const group_id = space_id === caller.user_id ? null : space_id
  return { id, name, group_id, document_count: useOf(row, uses)?.documents ?? 0, created_at }
}

const toCollection = (row: LabelRow, uses: readonly LabelUse[], context: UserContext): Collection => ({
  ...toTag(row, uses, context),
  total_bytes: useOf(row, uses)?.bytes ?? 0,
})
