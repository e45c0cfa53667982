import type { GroupPolicy } from '@youworker/contracts/group'
import type { UserContext } from '@youworker/messaging/requests/context'
import type { GroupUnitOfWork } from '../unit-of-work.ts'
import { audited, groupAct, groupNotFound, recordAct, requireAdmin, requireMember } from './access.ts'

/** What groups let their members do; the services that own those things ask for it. */
export class GroupPolicies {
  readonly #uow: GroupUnitOfWork

  constructor(uow: GroupUnitOfWork) {
    this.#uow = uow
  }

  async get(groupId: string, { caller }: UserContext): Promise<GroupPolicy> {
    const policy = await this.#uow.in([groupId]).read(async (repos) => {
      await requireMember(repos, groupId, caller.user_id)
      return repos.groups.policy(groupId)
    })
    if (!policy) throw groupNotFound()
    return policy
  }

  async set(groupId: string, { document_changes }: GroupPolicy, context: UserContext): Promise<GroupPolicy> {
    const act = groupAct('group.policy', groupId)
    await audited(this.#uow, act, context, () =>
      this.#uow.in([groupId]).write(async (repos) => {
        await repos.groups.lock(groupId)
        await requireAdmin(repos, groupId, context.caller.user_id)
        await repos.groups.setPolicy(groupId, { document_changes })
        recordAct(repos, act, context)
      }),
    )
    return { document_changes }
  }
}
