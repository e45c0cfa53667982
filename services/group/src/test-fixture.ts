import { randomBytes } from 'node:crypto'
import { AppError } from '@youworker/contracts/errors'
import type { GroupTables } from '@youworker/database/owners/group/tables'
import { migrateSchema, roleUrl } from '@youworker/database/schema/migrate'
import { openDatabase } from '@youworker/database/connection/open'
import { parseKeyRing } from '@youworker/database/sealing/key-ring'
import { createSealer } from '@youworker/database/sealing/sealer'
import { testUserContext } from '@youworker/messaging/requests/test-context'
import { newId } from '@youworker/runtime/id'
import { silentLogger } from '@youworker/runtime/logger'
import { testDatabase, testPassword } from '@youworker/test-kit/database'
import type { UserContext } from '@youworker/messaging/requests/context'
import { GroupDeletion } from './services/group-deletion.ts'
import { GroupInstructions } from './services/group-instructions.ts'
import { GroupService } from './services/group-service.ts'
import { MemberService } from './services/member-service.ts'
import { OwnGroups } from './services/own-groups.ts'
import type { UserDirectory } from './services/user-directory.ts'
import { createGroupUnitOfWork } from './unit-of-work.ts'

const logger = silentLogger()

/** The users of a test, in place of auth. infra/e2e runs both services. */
class Users implements UserDirectory {
  readonly #names = new Map<string, string>()
  isAway = false

  add(username: string): string {
    const id = newId()
    this.#names.set(id, username)
    return id
  }

  async names(userIds: readonly string[]): Promise<ReadonlyMap<string, string>> {
    if (this.isAway) throw new AppError('SERVICE_UNAVAILABLE', 'auth is away', { retryAfter: 1 })
    return new Map([...this.#names].filter(([id]) => userIds.includes(id)))
  }

  async named(username: string): Promise<{ id: string; username: string } | undefined> {
    const [id] = [...this.#names].find(([, name]) => name === username) ?? []
    return id === undefined ? undefined : { id, username }
  }
}

/** The context of a request by this user. */
export const as = (user_id: string, idempotencyKey?: string): UserContext => testUserContext(user_id, { idempotencyKey })

/** group's services on their own database. */
export async function openTestGroup() {
  await using stack = new AsyncDisposableStack()
  const prepare = (adminUrl: string) => migrateSchema({ adminUrl, owner: 'group', password: testPassword, logger })
  const { adminUrl } = stack.use(await testDatabase({ template: 'group', prepare }))
  const url = roleUrl(adminUrl, 'group', testPassword)
  const database = stack.use(openDatabase<GroupTables>({ url, schema: 'group', poolSize: 10, slowQueryMs: 60_000, logger }))
  const uow = createGroupUnitOfWork(database)
  const own = new OwnGroups(uow)
  const users = new Users()
  const instructions = new GroupInstructions(createSealer(database, parseKeyRing(randomBytes(32).toString('base64url'))))
  const groups = new GroupService({ uow, users, own, instructions })
  const resources = stack.move()
  return {
    groups,
    deletion: new GroupDeletion({ uow, groups, own, instructions, keepDays: 30 }),
    members: new MemberService(uow, users, own),
    users,
    uow,
    db: database.kysely,
    database,
    /** The events of a group, oldest first. */
    async published(groupId: string): Promise<string[]> {
      const rows = await database.kysely.selectFrom('outbox').select(['subject', 'data']).orderBy('position').execute()
      const own = rows.filter(({ data }) => data['group_id'] === groupId)
      return own.map(({ subject }) => subject.split('.').slice(3).join('.'))
    },
    async audited(): Promise<string[]> {
      const rows = await database.kysely.selectFrom('outbox').select(['subject', 'data']).orderBy('position').execute()
      const audit = rows.filter(({ subject }) => subject.endsWith('audit.recorded'))
      return audit.map(({ data }) => `${String(data['outcome'])} ${String(data['action'])} ${String(data['target_id'])}`)
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}

export type TestGroup = Awaited<ReturnType<typeof openTestGroup>>
