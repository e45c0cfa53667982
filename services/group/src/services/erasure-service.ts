import { group } from '@youworker/contracts/group'
import type { Trace } from '@youworker/messaging/requests/context'
import type { GroupRepositories, GroupUnitOfWork } from '../unit-of-work.ts'
import type { GroupInstructions } from './group-instructions.ts'
import type { OwnGroups } from './own-groups.ts'

/** Takes a deleted user out of all groups. Documents that they shared belong to the group and stay. */
export class ErasureService {
  readonly #uow: GroupUnitOfWork
  readonly #own: OwnGroups
  readonly #instructions: GroupInstructions

  constructor(uow: GroupUnitOfWork, own: OwnGroups, instructions: GroupInstructions) {
    this.#uow = uow
    this.#own = own
    this.#instructions = instructions
  }

  async eraseUser(userId: string, trace: Trace): Promise<void> {
    for (const groupId of await this.#own.allIds(userId)) {
      const left = await this.#uow.inWithDeleted([groupId]).write((repos) => leave(repos, groupId, userId, trace))
      if (left === 'deleted') await this.#instructions.forget(groupId)
    }
    await this.#uow.in([userId]).write(async ({ own, idempotency, receipts }) => {
      await receipts.forget(userId)
      await own.forgetNameVersion(userId)
      await idempotency.forget(userId)
    })
  }
}

/** A group is never without an admin: the longest-standing member becomes one, and a group without members is deleted. */
async function leave(repos: GroupRepositories, groupId: string, userId: string, trace: Trace): Promise<'deleted' | 'left'> {
  await repos.groups.lock(groupId)
  const membership = await repos.members.get(groupId, userId)
  if (!membership) return 'left'
  const isOnlyAdmin = membership.role === 'admin' && (await repos.members.isOnlyAdmin(groupId, userId))
  const heir = isOnlyAdmin ? await repos.members.longestStanding(groupId, userId) : undefined
  if (isOnlyAdmin && !heir) {
    await repos.groups.remove(groupId)
    repos.outbox.add(group.groupDeleted, { group_id: groupId, user_id: userId }, trace)
    return 'deleted'
  }
  if (heir) {
    await repos.members.setRole(groupId, heir.user_id, 'admin')
    repos.outbox.add(group.memberRoleChanged, { group_id: groupId, user_id: heir.user_id, role: 'admin' }, trace)
  }
  await repos.members.remove(groupId, userId)
  repos.outbox.add(group.memberRemoved, { group_id: groupId, user_id: userId }, trace)
  return 'left'
}
