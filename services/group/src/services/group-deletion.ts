import type { CursorPage } from '@youworker/contracts/common'
import type { Erasure } from '@youworker/contracts/erasures'
import { group, type Group } from '@youworker/contracts/group'
import { type ReceiptFilter, type ReceiptRow, toErasures } from '@youworker/database/deletion/receipts'
import type { UserContext } from '@youworker/messaging/requests/context'
import type { GroupRepositories, GroupUnitOfWork } from '../unit-of-work.ts'
import { audited, groupAct, groupNotFound, recordAct, requireAdmin } from './access.ts'
import type { GroupInstructions } from './group-instructions.ts'
import type { GroupService } from './group-service.ts'
import type { OwnGroups } from './own-groups.ts'

interface DeletionParts {
  readonly uow: GroupUnitOfWork
  readonly groups: Pick<GroupService, 'view'>
  readonly own: OwnGroups
  readonly instructions: GroupInstructions
  /** How long a deleted group can be restored. */
  readonly keepDays: number
}

/** Deletes groups in two steps, or in one, and brings them back between the two. What is in them follows. */
export class GroupDeletion {
  readonly #parts: DeletionParts

  constructor(parts: DeletionParts) {
    this.#parts = parts
  }

  async delete(
    { group_id, purge = false }: { readonly group_id: string; readonly purge?: boolean },
    context: UserContext,
  ): Promise<void> {
    const { uow, keepDays } = this.#parts
    const { user_id } = context.caller
    const act = groupAct(purge ? 'group.purge' : 'group.delete', group_id)
    await audited(uow, act, context, () =>
      // The receipt goes into the caller's space.
      uow.inWithDeleted([group_id, user_id]).write(async (repos) => {
        const { deleted_at } = await lockAsAdmin(repos, group_id, user_id)
        recordAct(repos, act, context)
        if (purge) return erase(repos, { group_id, deleted_at, reason: 'purge', by: user_id })
        if (deleted_at !== null) throw groupNotFound()
        await repos.deletions.hide('groups', group_id, { by: user_id, keepDays })
        await repos.deletions.setHidden('members', 'group_id', group_id, true)
        repos.outbox.add(group.groupSoftDeleted, { group_id, user_id }, context)
      }),
    )
    if (!purge) return
    const receipts = await uow.in([user_id]).read((repos) => repos.receipts.unverifiedOf(group_id))
    for (const receipt of receipts) await this.verify(receipt)
  }

  async restore({ group_id }: { readonly group_id: string }, context: UserContext): Promise<Group> {
    const { uow, own, groups } = this.#parts
    const { caller, signal } = context
    const { user_id } = caller
    const act = groupAct('group.restore', group_id)
    await audited(uow, act, context, async () => {
      const { name, deleted_at } = await uow.inWithDeleted([group_id]).read((repos) => asAdmin(repos, group_id, user_id))
      if (deleted_at === null) return
      await own.requireBelowLimit(user_id)
      await own.naming({ userId: user_id, name, groupId: group_id, isNew: false, signal }, (claim) =>
        uow.inWithDeleted([group_id]).write(async (repos) => {
          const locked = await lockAsAdmin(repos, group_id, user_id)
          if (locked.deleted_at === null) return
          await claim(repos)
          await repos.deletions.show('groups', group_id)
          await repos.deletions.setHidden('members', 'group_id', group_id, false)
          repos.outbox.add(group.groupRestored, { group_id, user_id }, context)
          recordAct(repos, act, context)
        }),
      )
    })
    return groups.view(group_id, context)
  }

  async listErasures({ kind, target_id, ...page }: ReceiptFilter & CursorPage, { caller }: UserContext) {
    const { user_id } = caller
    return toErasures(
      await this.#parts.uow.in([user_id]).read(({ receipts }) => receipts.list(user_id, { kind, target_id }, page)),
    )
  }

  /** Erases the key of the group too, which its rows were sealed with. */
  async verify({ id, target_id, space_id }: ReceiptRow): Promise<boolean> {
    const { uow, instructions } = this.#parts
    await instructions.forget(target_id)
    const left = await uow.inWithDeleted([target_id]).read(({ groups }) => groups.count(target_id))
    const isGone = Object.values(left).every((count) => count === 0)
    if (isGone) await uow.in([space_id]).write(({ receipts }) => receipts.verified(id))
    return isGone
  }
}

/** One whose time to be restored is over, in the system scope. */
export async function eraseExpired(repos: GroupRepositories, { id: group_id }: { readonly id: string }): Promise<void> {
  const expired = await repos.groups.lockExpired(group_id)
  if (!expired) return
  const { deleted_at, deleted_by, created_by } = expired
  await erase(repos, { group_id, deleted_at, reason: 'expired', by: deleted_by ?? created_by })
}

interface Erased {
  readonly group_id: string
  readonly deleted_at: string | null
  readonly reason: Erasure['reason']
  readonly by: string
}

async function erase(repos: GroupRepositories, { group_id, deleted_at, reason, by }: Erased): Promise<void> {
  const removed = await repos.groups.count(group_id)
  await repos.groups.remove(group_id)
  const receipt = { kind: 'group', target_id: group_id, reason, deleted_at } as const
  await repos.receipts.add({ ...receipt, readers: [by], removed, traces: { space_id: [group_id] } })
  repos.outbox.add(group.groupDeleted, { group_id, user_id: by })
}

async function asAdmin(repos: GroupRepositories, groupId: string, userId: string) {
  await requireAdmin(repos, groupId, userId)
  const found = await repos.groups.get(groupId)
  if (!found) throw groupNotFound()
  return found
}

async function lockAsAdmin(repos: GroupRepositories, groupId: string, userId: string) {
  await repos.groups.lock(groupId)
  return asAdmin(repos, groupId, userId)
}
