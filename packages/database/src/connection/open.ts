import { Kysely } from 'kysely'
import { checkDatabase } from './check-database.ts'
import { createPool, type PoolOptions } from './connection-pool.ts'
import { createDialect } from './dialect.ts'
import { LeaseKeeper } from '../jobs/lease-keeper.ts'
import type { SystemTables } from '../schema/system-tables.ts'
import { type Mode, type SystemScope, transact, type TransactionScope } from './transaction.ts'

/** What the relay, workers and other parts of this package need, whoever owns the tables. */
export interface SystemDatabase {
  readonly schema: string
  /** The system tables, outside of any transaction. */
  readonly system: Kysely<SystemTables>
  /** Of all jobs that this process runs on this database. */
  readonly leases: LeaseKeeper
  /** Hears each commit that added to the outbox. */
  onOutbox(listener: () => void): Disposable
  /** `spaces`: ids joined by commas, or `*`. Services use the unit of work instead. */
  transact<T>(spaces: string, mode: Mode, work: (scope: SystemScope) => Promise<T>): Promise<T>
}

export interface Database<Tables> extends SystemDatabase, AsyncDisposable {
  /** Outside of any transaction: sees no row of a tenant table. Services use the unit of work instead. */
  readonly kysely: Kysely<Tables>
  /** Passes when Postgres answers, the role is bound by row-level security and every migration known here ran. */
  check(): Promise<void>
  transact<T>(spaces: string, mode: Mode, work: (scope: TransactionScope<Tables>) => Promise<T>): Promise<T>
}

interface OpenOptions extends PoolOptions {
  /** Names of the migrations that must have run; by default those of the schema's owner. */
  readonly migrations?: readonly string[]
}

/** Opens lazily: a Postgres that is away is noticed by the first statement. Reconnects by itself. */
export function openDatabase<Tables>(options: OpenOptions): Database<Tables> {
  const { schema } = options
  const pool = createPool(options)
  const dialect = createDialect(pool)
  const kysely = new Kysely<Tables>({ dialect })
  const system = new Kysely<SystemTables>({
    config: { dialect },
    driver: dialect.driver,
    dialect,
    executor: kysely.getExecutor(),
  })
  const leases = new LeaseKeeper(system, options.logger)
  const listeners = new Set<() => void>()
  const onCommitted = () => listeners.forEach((listener) => listener())
  const source = { connections: pool, dialect, kysely, onCommitted }
  return {
    schema,
    kysely,
    system,
    leases,
    check: async () => checkDatabase(system, schema, options.migrations ?? (await migrationsOf(schema))),
    onOutbox(listener) {
      listeners.add(listener)
      return { [Symbol.dispose]: () => void listeners.delete(listener) }
    },
    transact: (spaces, mode, work) => transact(source, spaces, mode, work),
    async [Symbol.asyncDispose]() {
      await leases[Symbol.asyncDispose]()
      await kysely.destroy()
      await pool[Symbol.asyncDispose]()
    },
  }
}

/** Loaded late: a service that never asks does not load the migrations. */
async function migrationsOf(schema: string): Promise<string[]> {
  const { allSchemas } = await import('../schema/all-schemas.ts')
  const definition = Object.values(allSchemas).find((candidate) => candidate.schema === schema)
  return Object.keys(definition?.migrations ?? {})
}
