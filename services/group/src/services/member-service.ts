import type { Page } from '@youworker/contracts/common'
import { AppError } from '@youworker/contracts/errors'
import { group, type Member, Role } from '@youworker/contracts/group'
import type { GroupRepositories, GroupUnitOfWork } from '../unit-of-work.ts'
import { type Act, audited, recordAct, requireAdmin, requireMember } from './access.ts'
import type { UserContext } from '@youworker/messaging/requests/context'
import type { OwnGroups } from './own-groups.ts'
import { DELETED_USER, type UserDirectory, withNames } from './user-directory.ts'

export interface NewMember {
  readonly user_id?: string | undefined
  readonly username?: string | undefined
  readonly role: string
}

export class MemberService {
  readonly #uow: GroupUnitOfWork
  readonly #users: UserDirectory
  readonly #own: OwnGroups

  constructor(uow: GroupUnitOfWork, users: UserDirectory, own: OwnGroups) {
    this.#uow = uow
    this.#users = users
    this.#own = own
  }

  async list(groupId: string, page: Page, context: UserContext): Promise<{ members: Member[]; total: number }> {
    const { rows, total } = await this.#uow.in([groupId]).read(async (repos) => {
      await requireMember(repos, groupId, context.caller.user_id)
      return { rows: await repos.members.list(groupId, page), total: await repos.members.count(groupId) }
    })
    return { members: await withNames(this.#users, rows, context), total }
  }

  async add(groupId: string, wanted: NewMember, context: UserContext): Promise<Member> {
    return this.#asAdmin('member.add', groupId, wanted.user_id ?? null, context, async () => {
      const role = parseRole(wanted.role)
      const user = await this.#find(wanted, context)
      await this.#own.requireBelowLimit(user.id)
      const request = { group_id: groupId, user_id: user.id, role }
      const call = { user_id: context.caller.user_id, subject: group.addMember.subject, key: context.idempotencyKey, request }
      const membership = await this.#change(groupId, context, (repos) =>
        repos.idempotency.once(call, async () => {
          const added = await repos.members.add(groupId, user.id, role)
          if (!added) throw new AppError('MEMBERSHIP_EXISTS', 'This user is a member already.')
          repos.outbox.add(group.memberAdded, { group_id: groupId, user_id: user.id, role }, context)
          recordAct(repos, actOn('member.add', groupId, user.id), context)
          return added
        }),
      )
      return { ...membership, username: user.username }
    })
  }

  async setRole(groupId: string, userId: string, wanted: string, context: UserContext): Promise<Member> {
    return this.#asAdmin('member.set-role', groupId, userId, context, async () => {
      const role = parseRole(wanted)
      // Read before the change, so that nothing is changed when auth is down.
      const names = await this.#users.names([userId], context)
      const membership = await this.#change(groupId, context, async (repos) => {
        const present = await requireMembership(repos, groupId, userId)
        if (present.role === role) return present
        if (role !== 'admin') await requireOtherAdmin(repos, groupId, userId)
        await repos.members.setRole(groupId, userId, role)
        repos.outbox.add(group.memberRoleChanged, { group_id: groupId, user_id: userId, role }, context)
        recordAct(repos, actOn('member.set-role', groupId, userId), context)
        return { ...present, role }
      })
      return { ...membership, username: names.get(userId) ?? DELETED_USER }
    })
  }

  /** A member may remove themself; only an admin may remove others. */
  async remove(groupId: string, userId: string, context: UserContext): Promise<void> {
    const { user_id: callerId } = context.caller
    const act = actOn('member.remove', groupId, userId)
    await audited(this.#uow, act, context, () =>
      this.#uow.in([groupId]).write(async (repos) => {
        await repos.groups.lock(groupId)
        await (userId === callerId ? requireMember : requireAdmin)(repos, groupId, callerId)
        const { role } = await requireMembership(repos, groupId, userId)
        if (role === 'admin') await requireOtherAdmin(repos, groupId, userId)
        await repos.members.remove(groupId, userId)
        repos.outbox.add(group.memberRemoved, { group_id: groupId, user_id: userId }, context)
        recordAct(repos, act, context)
      }),
    )
  }

  /** Checks the role first, so that errors reveal nothing to other users. */
  #asAdmin<T>(
    action: Act['action'],
    groupId: string,
    userId: string | null,
    context: UserContext,
    work: () => Promise<T>,
  ): Promise<T> {
    return audited(this.#uow, actOn(action, groupId, userId), context, async () => {
      await this.#uow.in([groupId]).read((repos) => requireAdmin(repos, groupId, context.caller.user_id))
      return work()
    })
  }

  /** Changes of one group's members run one after another, each only if the caller is still an admin. */
  #change<T>(groupId: string, context: UserContext, work: (repos: GroupRepositories) => Promise<T>): Promise<T> {
    return this.#uow.in([groupId]).write(async (repos) => {
      await repos.groups.lock(groupId)
      await requireAdmin(repos, groupId, context.caller.user_id)
      return work(repos)
    })
  }

  async #find({ user_id, username }: NewMember, context: UserContext): Promise<{ id: string; username: string }> {
    if (user_id !== undefined) {
      const name = (await this.#users.names([user_id], context)).get(user_id)
      if (name !== undefined) return { id: user_id, username: name }
    }
    const user = username === undefined ? undefined : await this.#users.named(username, context)
    if (!user) throw new AppError('USER_NOT_FOUND', 'There is no such user. Check the name or id.')
    return user
  }
}

/** `userId` is null when the target was given by username and not looked up, because the caller was not allowed to. */
const actOn = (action: Act['action'], groupId: string, userId: string | null): Act => ({
  action,
  target_type: 'member',
  target_id: userId === null ? groupId : `${groupId}/${userId}`,
})

function parseRole(name: string): Role {
  const role = Role.safeParse(name)
  if (!role.success) throw new AppError('INVALID_ROLE', `A role is one of: ${Role.options.join(', ')}.`)
  return role.data
}

async function requireMembership({ members }: GroupRepositories, groupId: string, userId: string) {
  const membership = await members.get(groupId, userId)
  if (!membership) throw new AppError('MEMBERSHIP_NOT_FOUND', 'This user is not a member of the group.')
  return membership
}

async function requireOtherAdmin({ members }: GroupRepositories, groupId: string, userId: string): Promise<void> {
  if (await members.isOnlyAdmin(groupId, userId)) {
    throw new AppError('LAST_ADMIN', 'The last admin must stay. Make another member admin first, or delete the group.')
  }
}
