import { join } from 'node:path'
import { openDatabase } from '@youworker/database/connection/open'
import type { GroupTables } from '@youworker/database/owners/group/tables'
import { migrateSchema, roleUrl } from '@youworker/database/schema/migrate'
import { createUnitOfWork } from '@youworker/database/unit-of-work'
import { freePort } from '@youworker/embedded/port'
import { startPostgres } from '@youworker/embedded/postgres'
import { newId } from '@youworker/runtime/id'
import { silentLogger } from '@youworker/runtime/logger'
import { Kysely, PostgresDialect, sql, type Transaction } from 'kysely'
import pg from 'pg'
import { compare, type Way } from './measuring/compare.ts'
import { temporaryDir } from './system.ts'

type Trx = Transaction<GroupTables>
type Work = (trx: Trx) => Promise<unknown>
type Mode = 'read' | 'write'

/** One transaction that sees the rows of one space. */
interface Driver {
  readonly name: string
  transact(mode: Mode, work: Work): Promise<unknown>
}

const SCHEMA = 'group'
const CALLERS = 16
const POOL_SIZE = 10
/** Ids of the one group that is read, and of its only member. */
const GROUP = newId()
const USER = newId()

/** The statement that group runs for `GET /v1/groups/{id}`, in shorter form. */
const readGroup: Work = (trx) =>
  sql`select groups.id, groups.name, groups.description, groups.created_at, mine.role,
      (select count(*) from members where group_id = groups.id) as member_count
    from groups join members as mine on mine.group_id = groups.id
    where mine.user_id = ${USER} and groups.id = ${GROUP}`.execute(trx)

const WORK: readonly (readonly [title: string, mode: Mode, work: Work])[] = [
  ['read of one statement', 'read', readGroup],
  ['read of four statements at once', 'read', (trx) => Promise.all([1, 2, 3, 4].map(() => readGroup(trx)))],
  [
    'write of one statement',
    'write',
    (trx) =>
      trx.updateTable('members').set({ role: 'admin' }).where('group_id', '=', newId()).where('user_id', '=', USER).execute(),
  ],
]

/**
 * The unit of work of packages/database against Kysely's own `PostgresDialect` on `pg.Pool`: as it is, with prepared statements, and with
 * prepared statements and pg's pipeline. The ratio is the first read against the second of these.
 */
export async function databaseDriver(stack: AsyncDisposableStack): Promise<number> {
  const url = await prepareDatabase(stack)
  const drivers: Driver[] = [
    ownDriver(stack, url),
    kyselyDriver(stack, 'PostgresDialect', { connectionString: url }),
    kyselyDriver(stack, 'PostgresDialect, prepared', { connectionString: url, Client: PreparingClient }),
    kyselyDriver(stack, 'PostgresDialect, prepared, pipeline', {
      connectionString: url,
      Client: PreparingClient,
      pipeline: true,
    }),
  ]
  const ratios: number[] = []
  for (const [title, mode, work] of WORK) {
    const ways: Way[] = drivers.map(({ name, transact }) => ({ name, run: () => transact(mode, work) }))
    const [, , prepared = Number.NaN] = await compare(ways, { title, callers: CALLERS })
    ratios.push(prepared)
  }
  return ratios[0] ?? Number.NaN
}

async function prepareDatabase(stack: AsyncDisposableStack): Promise<string> {
  const dataDir = join(await temporaryDir(stack), 'postgres')
  // The speed of the disk would hide the difference between the drivers.
  const settings = { fsync: 'off', synchronous_commit: 'off' }
  const { adminUrl } = stack.use(await startPostgres({ dataDir, port: await freePort(), password: 'bench', settings }))
  await migrateSchema({ owner: SCHEMA, adminUrl, password: 'bench', logger: silentLogger() })
  const url = roleUrl(adminUrl, SCHEMA, 'bench')
  await using database = openDatabase<GroupTables>({ url, ...OPTIONS })
  await database.transact(GROUP, 'write', async ({ trx }) => {
    await trx.insertInto('groups').values({ id: GROUP, name: 'bench', name_key: 'bench', created_by: USER }).execute()
    await trx.insertInto('members').values({ group_id: GROUP, user_id: USER, role: 'admin' }).execute()
  })
  return url
}

const OPTIONS = { schema: SCHEMA, poolSize: POOL_SIZE, slowQueryMs: 10_000, logger: silentLogger() }

function ownDriver(stack: AsyncDisposableStack, url: string): Driver {
  const database = stack.use(openDatabase<GroupTables>({ url, ...OPTIONS }))
  const uow = createUnitOfWork(database, (trx) => ({ trx }))
  return { name: 'packages/database', transact: (mode, work) => uow.in([GROUP])[mode](({ trx }) => work(trx)) }
}

/** Names every statement after its text, so that Postgres plans it once per connection: Kysely passes no names. */
class PreparingClient extends pg.Client {
  static readonly #names = new Map<string, string>()

  // Kysely calls it with text and values; pg's own overloads, with query objects, pass through.
  override query(text: unknown, values?: unknown): never {
    const query = super.query.bind(this) as (...args: unknown[]) => never
    if (typeof text !== 'string' || !Array.isArray(values) || values.length === 0) return query(text, values)
    const names = PreparingClient.#names
    const name = names.get(text) ?? `s${names.size}`
    names.set(text, name)
    return query({ name, text, values })
  }
}

function kyselyDriver(stack: AsyncDisposableStack, name: string, config: pg.PoolConfig): Driver {
  const pool = new pg.Pool({ max: POOL_SIZE, options: `-c search_path=${SCHEMA} -c TimeZone=UTC`, ...config })
  // Postgres may stop before the last connection has closed; without a listener that ends the process.
  pool.on('connect', (client) => client.on('error', () => {}))
  pool.on('error', () => {})
  const kysely = new Kysely<GroupTables>({ dialect: new PostgresDialect({ pool }) })
  stack.defer(() => kysely.destroy())
  return {
    name,
    transact: (mode, work) =>
      kysely
        .transaction()
        .setAccessMode(mode === 'read' ? 'read only' : 'read write')
        .execute(async (trx) => {
          const scoped = sql`select set_config('app.spaces', ${GROUP}, true)`.execute(trx)
          // A pipeline sends the work at once. If this statement fails, the transaction is aborted and so is the work.
          if (!config.pipeline) await scoped
          const [result] = await Promise.all([work(trx), scoped])
          return result
        }),
  }
}
