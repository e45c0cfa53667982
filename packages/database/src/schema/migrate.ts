import { SCHEMAS, type SchemaOwner } from '@youworker/contracts/topology/topology'
import type { Logger } from '@youworker/runtime/logger'
import { Kysely } from 'kysely'
import { Migrator } from 'kysely/migration'
import pg from 'pg'
import { PgConnection } from '../connection/pg-connection.ts'
import { createDialect } from '../connection/dialect.ts'
import { ensureRoles } from './roles.ts'
import { MIGRATIONS_LOCK_TABLE, MIGRATIONS_TABLE, type SchemaDefinition } from './schema-definition.ts'
import { allSchemas } from './all-schemas.ts'

interface MigrateOptions {
  /** URL of a role that may create roles and schemas. */
  readonly adminUrl: string
  readonly logger: Logger
}

const LOCK_TIMEOUT_MS = 10_000

/**
 * Migrates one owner's schema to the latest version and sets the password of its role. Safe to run at any time, also
 * concurrently.
 */
export async function migrateSchema({
  owner,
  ...options
}: MigrateOptions & { owner: SchemaOwner; password: string }): Promise<void> {
  const definition = allSchemas[owner]
  await migrateDefinition(definition, options)
}

/** Migrates every schema, one after the other. */
export async function migrateAll({
  passwords,
  ...options
}: MigrateOptions & { passwords: Record<SchemaOwner, string> }): Promise<void> {
  for (const definition of Object.values(allSchemas)) {
    await migrateDefinition(definition, { ...options, password: passwords[definition.owner] })
  }
}

/** The URL with which an owner's service logs in. */
export function roleUrl(adminUrl: string, owner: SchemaOwner, password: string): string {
  const url = new URL(adminUrl)
  url.username = SCHEMAS[owner]
  url.password = encodeURIComponent(password)
  return url.href
}

export async function migrateDefinition(
  definition: SchemaDefinition,
  { adminUrl, password, logger }: MigrateOptions & { password: string },
): Promise<void> {
  const { schema } = definition
  const admin = new pg.Client({
    connectionString: adminUrl,
    application_name: `youworker migrate ${schema}`,
    lock_timeout: LOCK_TIMEOUT_MS,
  })
  // The running statement rejects as well; without a listener the event would end the process.
  admin.on('error', (error) => logger.warn({ reason: error.message }, 'the connection to Postgres was lost'))
  await admin.connect()
  try {
    await admin.query(
      `set lock_timeout = 0; select pg_advisory_lock(hashtext('youworker migrate')); set lock_timeout = ${LOCK_TIMEOUT_MS}`,
    )
    await ensureRoles(admin, schema, password)
    await prepareSchema(admin, schema)
    await runMigrations(admin, definition, logger)
    await grantToLogin(admin, schema)
  } finally {
    await admin.end()
  }
}

async function prepareSchema(admin: pg.Client, schema: string): Promise<void> {
  const [name, owner] = [pg.escapeIdentifier(schema), pg.escapeIdentifier(`${schema}_owner`)]
  await admin.query(`create schema if not exists ${name} authorization ${owner}`)
  // `app.spaces = '*'`: migrations see the rows of every space.
  await admin.query(`set role ${owner}; set search_path = ${name}; set timezone = 'UTC'; set app.spaces = '*'`)
}

async function runMigrations(admin: pg.Client, { schema, migrations }: SchemaDefinition, logger: Logger): Promise<void> {
  const ran = await ranMigrations(admin)
  const newer = ran.filter((name) => !(name in migrations))
  if (newer.length > 0 && Object.keys(migrations).every((name) => ran.includes(name))) {
    const message = `a newer version of YouWorker has migrated the schema ${schema} (${newer.join(', ')}). Nothing was changed; update this version (git pull), or restore the backup from before that update`
    logger.warn({ schema, newer }, message)
    return
  }
  const client = Object.assign(admin, { release: () => {} })
  const hooks = { answerMs: Infinity, nameOf: () => undefined, observe: () => {}, answered: () => {} }
  const acquire = async () => new PgConnection(client, hooks)
  const migrator = new Migrator({
    db: new Kysely<unknown>({ dialect: createDialect({ acquire }) }),
    provider: { getMigrations: async () => ({ ...migrations }) },
    migrationTableSchema: schema,
    migrationTableName: MIGRATIONS_TABLE,
    migrationLockTableName: MIGRATIONS_LOCK_TABLE,
  })
  const { error, results = [] } = await migrator.migrateToLatest()
  for (const { migrationName, status } of results) {
    if (status === 'Success') logger.info({ schema, migration: migrationName }, 'migrated')
  }
  if (error !== undefined) throw error
}

async function ranMigrations(admin: pg.Client): Promise<string[]> {
  const { rows } = await admin.query<{ made: boolean }>(`select to_regclass('${MIGRATIONS_TABLE}') is not null as made`)
  if (rows[0]?.made !== true) return []
  return (await admin.query<{ name: string }>(`select name from ${MIGRATIONS_TABLE}`)).rows.map(({ name }) => name)
}

/** The login role reads and writes rows, and changes nothing else. */
async function grantToLogin(admin: pg.Client, schema: string): Promise<void> {
  const [name, login] = [pg.escapeIdentifier(schema), pg.escapeIdentifier(schema)]
  await admin.query(`
    grant usage on schema ${name} to ${login};
    grant select, insert, update, delete on all tables in schema ${name} to ${login};
    grant usage on all sequences in schema ${name} to ${login};
    revoke insert, update, delete on ${MIGRATIONS_TABLE}, ${MIGRATIONS_LOCK_TABLE} from ${login}`)
}
