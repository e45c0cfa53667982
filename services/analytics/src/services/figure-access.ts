import type { Whose as WhoseQuery } from '@youworker/contracts/analytics'
import type { AuditedAct } from '@youworker/contracts/audit/audit-entry'
import { AppError } from '@youworker/contracts/errors'
import type { Role } from '@youworker/contracts/group'
import type { SampledAudit } from '@youworker/database/events/sampled-audit'
import type { Scope } from '@youworker/database/unit-of-work'
import type { UserContext } from '@youworker/messaging/requests/context'
import type { Membership, Whose } from '../repositories/figures.ts'
import type { AnalyticsRepositories, AnalyticsUnitOfWork } from '../unit-of-work.ts'

export interface GroupOfCaller {
  readonly role: Role
  /** All of them; asks the group service again for those of a large group. */
  members(): Promise<readonly Membership[]>
}

/** Asks the group service, as the caller. Throws `GROUP_NOT_FOUND`, and `SERVICE_UNAVAILABLE` when it cannot be asked. */
export type FindGroup = (groupId: string, context: UserContext) => Promise<GroupOfCaller>

interface Dependencies {
  readonly uow: AnalyticsUnitOfWork
  readonly findGroup: FindGroup
  readonly audit: Pick<SampledAudit, 'record'>
}

type ReadScope = Pick<Scope<AnalyticsRepositories>, 'read'>

/** Who may read whose figures: everybody their own, an admin those of the group, root everybody's. What is not one's own is audited. */
export class FigureAccess {
  readonly #uow: AnalyticsUnitOfWork
  readonly #findGroup: FindGroup
  readonly #audit: Pick<SampledAudit, 'record'>

  constructor({ uow, findGroup, audit }: Dependencies) {
    this.#uow = uow
    this.#findGroup = findGroup
    this.#audit = audit
  }

  own(userId: string): ReadScope {
    return this.#uow.in([userId])
  }

  async of({ group_id, scope }: WhoseQuery, context: UserContext): Promise<{ whose: Whose; scope: ReadScope }> {
    const { user_id } = context.caller
    if (group_id !== undefined) return this.#group(group_id, context)
    if (scope === 'installation') return this.#installation(context)
    return { whose: { kind: 'user', user_id }, scope: this.own(user_id) }
  }

  async #group(group_id: string, context: UserContext) {
    const group = await this.#findGroup(group_id, context)
    const target = { target_type: 'group', target_id: group_id }
    if (group.role !== 'admin') {
      this.#record('denied', target, context)
      throw new AppError('NOT_GROUP_ADMIN', 'Only an admin of the group may read its figures. Ask one of them.')
    }
    const members = await group.members()
    this.#record('allowed', target, context)
    const spaces = [group_id, ...members.map(({ user_id }) => user_id)]
    return { whose: { kind: 'group', group_id, members }, scope: this.#uow.in(spaces) } as const
  }

  /** The one read across all spaces: only sums of them leave the repositories. */
  #installation(context: UserContext) {
    const { is_root } = context.caller
    this.#record(is_root ? 'allowed' : 'denied', { target_type: 'installation', target_id: null }, context)
    if (!is_root) throw new AppError('NOT_AUTHORIZED', 'Only root may read the figures of the installation.')
    return { whose: { kind: 'installation' }, scope: this.#uow.system() } as const
  }

  #record(outcome: AuditedAct['outcome'], target: Pick<AuditedAct, 'target_type' | 'target_id'>, context: UserContext): void {
    this.#audit.record({ actor_id: context.caller.user_id, action: 'analytics.read', outcome, ...target }, context)
  }
}
