import type { GroupTables } from '@youworker/database/owners/group/tables'
import type { Database } from '@youworker/database/connection/open'
import { createUnitOfWork, type SystemRepositories, type UnitOfWork } from '@youworker/database/unit-of-work'
import { GroupRepository } from './repositories/group-repository.ts'
import { MemberRepository } from './repositories/member-repository.ts'
import { OwnGroupRepository } from './repositories/own-group-repository.ts'

interface OwnRepositories {
  readonly groups: GroupRepository
  readonly members: MemberRepository
  readonly own: OwnGroupRepository
}

export type GroupRepositories = OwnRepositories & SystemRepositories
export type GroupUnitOfWork = UnitOfWork<GroupRepositories>

export const createGroupUnitOfWork = (database: Database<GroupTables>): GroupUnitOfWork =>
  createUnitOfWork<GroupTables, OwnRepositories>(database, (trx) => ({
    groups: new GroupRepository(trx),
    members: new MemberRepository(trx),
    own: new OwnGroupRepository(trx),
  }))
