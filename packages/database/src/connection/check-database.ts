import { AppError } from '@youworker/contracts/errors'
import { type Kysely, sql } from 'kysely'
import { faultOf } from './database-error.ts'
import { MIGRATIONS_TABLE } from '../schema/schema-definition.ts'
import type { SystemTables } from '../schema/system-tables.ts'

const MIGRATE = 'run `npm run youworker -- migrate`'

/**
 * Throws `SERVICE_UNAVAILABLE` with the next step in its message unless the role is bound by row-level security and all
 * `migrations` ran.
 */
export async function checkDatabase(db: Kysely<SystemTables>, schema: string, migrations: readonly string[]): Promise<void> {
  const { role, unbound } = await roleOf(db)
  if (unbound) {
    throw new AppError(
      'SERVICE_UNAVAILABLE',
      `Postgres role ${role} may read every tenant's rows; put the role "${schema}" into DATABASE__URL`,
    )
  }
  const ran = new Set(await ranMigrations(db))
  const missing = migrations.filter((name) => !ran.has(name))
  if (missing.length > 0) {
    throw new AppError('SERVICE_UNAVAILABLE', `Schema "${schema}" lacks ${missing.join(', ')}; ${MIGRATE}`, { retryAfter: 5 })
  }
}

async function roleOf(db: Kysely<SystemTables>): Promise<{ role: string; unbound: boolean }> {
  const { rows } = await sql<{ role: string; unbound: boolean }>`
    select current_user::text as role, rolsuper or rolbypassrls as unbound from pg_roles where rolname = current_user`.execute(db)
  return rows[0] ?? { role: 'unknown', unbound: true }
}

async function ranMigrations(db: Kysely<SystemTables>): Promise<string[]> {
  try {
    const { rows } = await sql<{ name: string }>`select name from ${sql.table(MIGRATIONS_TABLE)}`.execute(db)
    return rows.map(({ name }) => name)
  } catch (error) {
    // 42P01: undefined table.
    if (faultOf(error)?.sqlstate === '42P01') return []
    throw error
  }
}
