import type { AuthTables } from '@youworker/database/owners/auth/tables'
import type { Database } from '@youworker/database/connection/open'
import { createUnitOfWork, type SystemRepositories, type UnitOfWork } from '@youworker/database/unit-of-work'
import { ApiKeyRepository } from './repositories/api-key-repository.ts'
import { AuditRepository } from './repositories/audit-repository.ts'
import { DeletedUserRepository } from './repositories/deleted-user-repository.ts'
import { GrantRepository } from './repositories/grant-repository.ts'
import { KnownClientRepository } from './repositories/known-client-repository.ts'
import { RevocationRepository } from './repositories/revocation-repository.ts'
import { SessionRepository } from './repositories/session-repository.ts'
import { SignInFailureRepository } from './repositories/sign-in-failure-repository.ts'
import { UserRepository } from './repositories/user-repository.ts'

interface OwnRepositories {
  readonly users: UserRepository
  readonly apiKeys: ApiKeyRepository
  readonly sessions: SessionRepository
  readonly grants: GrantRepository
  readonly revocations: RevocationRepository
  readonly failures: SignInFailureRepository
  readonly knownClients: KnownClientRepository
  readonly deletedUsers: DeletedUserRepository
  readonly audit: AuditRepository
}

export type AuthRepositories = OwnRepositories & SystemRepositories
export type AuthUnitOfWork = UnitOfWork<AuthRepositories>

/** auth has no tenant tables, because it identifies callers before any space is known. */
export const NO_SPACES: readonly string[] = []

export const createAuthUnitOfWork = (database: Database<AuthTables>): AuthUnitOfWork =>
  createUnitOfWork<AuthTables, OwnRepositories>(database, (trx) => ({
    users: new UserRepository(trx),
    apiKeys: new ApiKeyRepository(trx),
    sessions: new SessionRepository(trx),
    grants: new GrantRepository(trx),
    revocations: new RevocationRepository(trx),
    failures: new SignInFailureRepository(trx),
    knownClients: new KnownClientRepository(trx),
    deletedUsers: new DeletedUserRepository(trx),
    audit: new AuditRepository(trx),
  }))
