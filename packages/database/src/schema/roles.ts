import { retry } from '@youworker/runtime/timing/retry'
import pg from 'pg'
import { scramVerifier } from './scram-verifier.ts'

/**
 * SQLSTATEs of concurrent changes: roles belong to the whole cluster, so the migration of another database may change the same
 * ones.
 */
const RACES = new Set(['23505', '42710', 'XX000'])

/**
 * Creates the roles `<schema>_owner` (owns the tables, cannot log in) and `<schema>` (logs in with `password`, owns nothing).
 */
export async function ensureRoles(admin: pg.Client, schema: string, password: string): Promise<void> {
  const isRetryable = (error: unknown) => error instanceof pg.DatabaseError && RACES.has(error.code ?? '')
  await retry(() => makeRoles(admin, schema, password), { attempts: 10, baseMs: 20, maxMs: 500, isRetryable })
}

async function makeRoles(admin: pg.Client, schema: string, password: string): Promise<void> {
  const [owner, login] = [pg.escapeIdentifier(`${schema}_owner`), pg.escapeIdentifier(schema)]
  const { rows } = await admin.query<{ rolname: string }>('select rolname from pg_roles where rolname in ($1, $2)', [
    schema,
    `${schema}_owner`,
  ])
  const existing = new Set(rows.map(({ rolname }) => rolname))
  if (!existing.has(`${schema}_owner`)) await admin.query(`create role ${owner} nologin`)
  const secret = pg.escapeLiteral(await scramVerifier(password))
  await admin.query(`${existing.has(schema) ? 'alter' : 'create'} role ${login} with login password ${secret}`)
  await grantOwnerToAdmin(admin, owner)
}

/** A superuser may set any role; other administrators must be members of the role. */
async function grantOwnerToAdmin(admin: pg.Client, owner: string): Promise<void> {
  const { rows } = await admin.query<{ rolsuper: boolean }>('select rolsuper from pg_roles where rolname = current_user')
  if (rows[0]?.rolsuper !== true) await admin.query(`grant ${owner} to current_user`)
}
