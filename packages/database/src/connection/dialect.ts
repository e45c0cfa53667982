import { type Dialect, type Driver, type Kysely, PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler } from 'kysely'
import type { PgConnection } from './pg-connection.ts'

/** Provides connections: the pool, or the single connection of a migration. */
export interface ConnectionSource {
  acquire(): Promise<PgConnection>
}

/** Kysely's Postgres dialect over `PgConnection`. Services do not use its transactions but the unit of work. */
export function createDialect(source: ConnectionSource): Dialect & { readonly driver: Driver } {
  const driver = createDriver(source)
  return {
    driver,
    createDriver: () => driver,
    createAdapter: () => new PostgresAdapter(),
    createQueryCompiler: () => new PostgresQueryCompiler(),
    createIntrospector: (db: Kysely<unknown>) => new PostgresIntrospector(db),
  }
}

function createDriver(source: ConnectionSource): Driver {
  // Kysely passes the connections that acquireConnection returned.
  const own = (connection: unknown) => connection as PgConnection
  return {
    init: async () => {},
    acquireConnection: () => source.acquire(),
    beginTransaction: async (connection) => void (await own(connection).run('begin')),
    commitTransaction: async (connection) => void (await own(connection).run('commit')),
    rollbackTransaction: async (connection) => void (await own(connection).run('rollback')),
    releaseConnection: async (connection) => own(connection).release(),
    destroy: async () => {},
  }
}
