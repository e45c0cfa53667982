import type { HandlerOutput } from '@youworker/contracts/define'
import { group, type Group, type Member } from '@youworker/contracts/group'
import { LIMITS } from '@youworker/contracts/limits'
import { newId } from '@youworker/runtime/id'
import type { GroupUnitOfWork } from '../unit-of-work.ts'
import { audited, groupAct, groupNotFound, recordAct, requireAdmin } from './access.ts'
import type { UserContext } from '@youworker/messaging/requests/context'
import type { GroupInstructions, SealedInstructions } from './group-instructions.ts'
import { type ClaimName, nameKey, type OwnGroups, type OwnPage } from './own-groups.ts'
import { type UserDirectory, withNames } from './user-directory.ts'

export interface GroupChanges {
  readonly name?: string | undefined
  readonly description?: string | null | undefined
  readonly instructions?: string | null | undefined
  readonly cache_answers?: boolean | undefined
}

/** The same, sealed. */
type SealedChanges = Omit<GroupChanges, 'instructions'> & { readonly instructions?: Buffer | null }

interface GroupParts {
  readonly uow: GroupUnitOfWork
  readonly users: UserDirectory
  readonly own: OwnGroups
  readonly instructions: GroupInstructions
}

export class GroupService {
  readonly #uow: GroupUnitOfWork
  readonly #users: UserDirectory
  readonly #own: OwnGroups
  readonly #instructions: GroupInstructions

  constructor({ uow, users, own, instructions }: GroupParts) {
    this.#uow = uow
    this.#users = users
    this.#own = own
    this.#instructions = instructions
  }

  /** The caller becomes the first admin. */
  async create(input: GroupChanges & { name: string }, context: UserContext): Promise<Group> {
    const { name, description = null, instructions = null, cache_answers = false } = input
    const { user_id: userId } = context.caller
    const id = newId()
    const wanted = { ...(instructions === null ? {} : { instructions }), ...(cache_answers ? { cache_answers } : {}) }
    const request = { name, description, ...wanted }
    const call = { user_id: userId, subject: group.createGroup.subject, key: context.idempotencyKey, request }
    let made: Group | undefined
    const sealed = instructions === null ? null : await this.#instructions.seal(id, instructions)
    const settings = { description, instructions: sealed, cache_answers }
    const naming = { userId, name, groupId: id, isNew: true, signal: context.signal }
    const { group_id } = await this.#own.naming(naming, (claim) =>
      this.#uow.in([id]).write((repos) =>
        repos.idempotency.once(call, async () => {
          repos.outbox.add(group.groupCreated, { group_id: id, user_id: userId }, context)
          repos.outbox.add(group.memberAdded, { group_id: id, user_id: userId, role: 'admin' }, context)
          recordAct(repos, groupAct('group.create', id), context)
          await claim(repos)
          // Sent together and carried out in this order.
          const rows = [
            repos.groups.add({ id, name, name_key: nameKey(name), ...settings, created_by: userId }),
            repos.members.add(id, userId, 'admin'),
            repos.outbox.write(),
          ] as const
          made = { ...(await Promise.all(rows))[0], ...(instructions === null ? {} : { instructions }) }
          return { group_id: id }
        }),
      ),
    )
    if (!made && sealed !== null) await this.#instructions.forget(id)
    return made ?? this.view(group_id, context)
  }

  /** One transaction with one statement: the most frequent request of this service. */
  async get(groupId: string, context: UserContext): Promise<Group & { members: Member[] }> {
    const { user_id: userId } = context.caller
    const view = await this.#uow.in([groupId]).read(({ groups }) => groups.seenWithMembers(userId, groupId, LIMITS.listRows))
    if (!view) throw groupNotFound()
    return { ...(await this.#opened(view)), members: await withNames(this.#users, view.members, context) }
  }

  async list(page: OwnPage, { caller }: UserContext): Promise<{ groups: Group[]; total: number }> {
    const { ids, total } = await this.#own.page(caller.user_id, page)
    if (ids.length === 0) return { groups: [], total }
    const rows = await this.#uow.inWithDeleted(ids).read(({ groups }) => groups.seenAmong(caller.user_id, ids))
    const groups = rows.map(({ deleted_at, erase_after, ...row }) => ({
      ...row,
      ...(deleted_at === null || erase_after === null ? {} : { deleted_at, restorable_until: erase_after }),
    }))
    return { groups, total }
  }

  async update(groupId: string, changes: GroupChanges, context: UserContext): Promise<Group> {
    const { name, instructions, ...others } = changes
    const { caller, signal } = context
    await audited(this.#uow, groupAct('group.update', groupId), context, async () => {
      const sealed = await this.#sealFor(groupId, instructions, caller.user_id)
      const named = { ...others, name, ...(sealed === undefined ? {} : { instructions: sealed }) }
      if (name === undefined) return this.#change(groupId, named, context, async () => {})
      const naming = { userId: caller.user_id, name, groupId, isNew: false, signal }
      return this.#own.naming(naming, (claim) => this.#change(groupId, named, context, claim))
    })
    return this.view(groupId, context)
  }

  async promptFor(userId: string, groupId: string): Promise<HandlerOutput<typeof group.getGroupPrompt>['group']> {
    const found = await this.#uow.in([groupId]).read(({ groups }) => groups.promptFor(userId, groupId))
    if (!found) return null
    const { name, cache_answers } = found
    return { name, cache_answers, instructions: (await this.#instructions.open(found)) ?? null }
  }

  /** Every space the caller may read: their own and their groups'. */
  async spaces({ caller }: UserContext): Promise<string[]> {
    return this.spacesOf(caller.user_id)
  }

  async spacesOf(userId: string): Promise<string[]> {
    return [userId, ...(await this.#own.ids(userId))]
  }

  async rightsIn(spaceId: string, userId: string): Promise<HandlerOutput<typeof group.checkSpace>> {
    if (userId === spaceId) return { allowed: true }
    const [membership, policy] = await this.#uow
      .in([spaceId])
      .read(({ members, groups }) => Promise.all([members.get(spaceId, userId), groups.policy(spaceId)]))
    return membership ? { allowed: true, role: membership.role, ...policy } : { allowed: false }
  }

  /** One group of the caller as a list shows it, with its instructions. */
  async view(groupId: string, { caller }: UserContext): Promise<Group> {
    const view = await this.#uow.in([groupId]).read(({ groups }) => groups.seenBy(caller.user_id, groupId))
    if (!view) throw groupNotFound()
    return this.#opened(view)
  }

  async #opened<View extends SealedInstructions>(view: View): Promise<Omit<View, 'instructions'> & { instructions?: string }> {
    const { instructions: _sealed, ...rest } = view
    const instructions = await this.#instructions.open(view)
    return { ...rest, ...(instructions === undefined ? {} : { instructions }) }
  }

  /** Nobody else's request makes a key for the space. */
  async #sealFor(groupId: string, text: string | null | undefined, userId: string): Promise<Buffer | null | undefined> {
    if (text === null || text === undefined) return text
    await this.#uow.in([groupId]).read((repos) => requireAdmin(repos, groupId, userId))
    return this.#instructions.seal(groupId, text)
  }

  async #change(groupId: string, changes: SealedChanges, context: UserContext, claim: ClaimName): Promise<void> {
    const { name, description, instructions, cache_answers } = changes
    await this.#uow.in([groupId]).write(async (repos) => {
      await repos.groups.lock(groupId)
      await requireAdmin(repos, groupId, context.caller.user_id)
      await claim(repos)
      const naming = name === undefined ? {} : { name, name_key: nameKey(name) }
      const told = {
        ...(description === undefined ? {} : { description }),
        ...(instructions === undefined ? {} : { instructions }),
        ...(cache_answers === undefined ? {} : { cache_answers }),
      }
      await repos.groups.update(groupId, { ...naming, ...told })
      recordAct(repos, groupAct('group.update', groupId), context)
    })
  }
}
