import type { databaseEnv } from '@youworker/runtime/process/config'
import { Kysely } from 'kysely'
import type { z } from 'zod'
import { checkDatabase } from './check-database.ts'
import { type ConnectionPool, createPool, type PoolOptions } from './connection-pool.ts'
import { createDialect } from './dialect.ts'
import { sampleDeadLetters } from '../events/dead-letters.ts'
import { LeaseKeeper } from '../jobs/lease-keeper.ts'
import type { SystemTables } from '../schema/system-tables.ts'
import { type Mode, type Seen, type SystemScope, transact, type TransactionScope } from './transaction.ts'

/** The part of a database that does not depend on its owner: for the relay, workers and the rest of this package. */
export interface SystemDatabase {
  readonly schema: string
  /** Queries the system tables outside of any transaction. */
  readonly system: Kysely<SystemTables>
  /** The leases of all jobs that this process runs on this database. */
  readonly leases: LeaseKeeper
  /** Calls `listener` after each commit that added to the outbox. */
  onOutbox(listener: () => void): Disposable
  /** Services use the unit of work instead. */
  transact<T>(seen: Seen, mode: Mode, work: (scope: SystemScope) => Promise<T>): Promise<T>
}

export interface Database<Tables> extends SystemDatabase, AsyncDisposable {
  /** Queries outside of any transaction, which see no row of a tenant table. Services use the unit of work instead. */
  readonly kysely: Kysely<Tables>
  /** Passes when Postgres answers (or is just answering others), the role is bound by row-level security and every migration known here ran. */
  check(): Promise<void>
  readonly checkUse: ConnectionPool['checkUse']
  transact<T>(seen: Seen, mode: Mode, work: (scope: TransactionScope<Tables>) => Promise<T>): Promise<T>
}

interface OpenOptions extends PoolOptions {
  /** Names of the migrations that must have run; by default those of the schema's owner. */
  readonly migrations?: readonly string[]
}

const SAMPLE_MS = 10_000

/** From the settings of a service. */
export const poolSettings = (config: z.output<z.ZodObject<typeof databaseEnv>>) => ({
  url: config.DATABASE__URL,
  poolSize: config.DATABASE__POOL_SIZE,
  maxOverflow: config.DATABASE__MAX_OVERFLOW,
  slowQueryMs: config.DATABASE__SLOW_QUERY_MS,
})

/** Connects with the first statement, which fails when Postgres is down. Reconnects by itself. */
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
  const probing = new Kysely<SystemTables>({ dialect: createDialect({ acquire: () => pool.probe() }) })
  const leases = new LeaseKeeper(system, options.logger)
  // While Postgres is away the last number stays.
  const sampling = setInterval(() => void sampleDeadLetters(system, schema).catch(() => {}), SAMPLE_MS).unref()
  const listeners = new Set<() => void>()
  const onCommitted = () => listeners.forEach((listener) => listener())
  const source = { connections: pool, dialect, kysely, onCommitted }
  return {
    schema,
    kysely,
    system,
    leases,
    async check() {
      const migrations = options.migrations ?? (await migrationsOf(schema))
      await checkDatabase(probing, schema, migrations).catch((error: unknown) => {
        if (!pool.isBusy(error)) throw error
      })
    },
    checkUse: pool.checkUse,
    onOutbox(listener) {
      listeners.add(listener)
      return { [Symbol.dispose]: () => void listeners.delete(listener) }
    },
    transact: (seen, mode, work) => transact(source, seen, mode, work),
    async [Symbol.asyncDispose]() {
      clearInterval(sampling)
      await leases[Symbol.asyncDispose]()
      await kysely.destroy()
      await pool[Symbol.asyncDispose]()
    },
  }
}

/** Imported on demand, because it loads the migrations of every owner. */
async function migrationsOf(schema: string): Promise<string[]> {
  const { allSchemas } = await import('../schema/all-schemas.ts')
  const definition = Object.values(allSchemas).find((candidate) => candidate.schema === schema)
  return Object.keys(definition?.migrations ?? {})
}
