import { settledWithin } from '@youworker/runtime/timing/settled-within'
import pg from 'pg'

const OLDEST = 14
const CLOSE_MS = 500

export interface UsableServer {
  /** Why this Postgres cannot be used and what to do about it, to be said behind the name of its setting. */
  readonly fault?: string
  /** Whether this system has made its schemas there before. */
  readonly isInUse: boolean
}

interface Facts {
  readonly version: string
  readonly is_standby: boolean
  readonly may_make_roles: boolean
  readonly may_make_schemas: boolean
  readonly is_in_use: boolean
}

const QUESTION = `select current_setting('server_version') as version, pg_is_in_recovery() as is_standby,
  (select rolsuper or rolcreaterole from pg_roles where rolname = current_user) as may_make_roles,
  has_database_privilege(current_database(), 'create') as may_make_schemas,
  exists (select from pg_tables where schemaname = 'auth' and tablename = 'migrations') as is_in_use`

/** Asks a Postgres whether an administrator with this URL can set up the system there. Takes at most twice `timeoutMs`. */
export async function askUsable(url: string, timeoutMs: number): Promise<UsableServer> {
  const timeouts = { connectionTimeoutMillis: timeoutMs, query_timeout: timeoutMs }
  const client = new pg.Client({ connectionString: url, application_name: 'youworker start', ...timeouts })
  client.on('error', () => {})
  try {
    await client.connect()
    const { rows } = await client.query<Facts>(QUESTION)
    const [facts] = rows
    const fault = facts && faultIn(facts, client)
    return { isInUse: facts?.is_in_use ?? false, ...(fault === undefined ? {} : { fault }) }
  } catch (error) {
    return { isInUse: false, fault: refusal(error, client) }
  } finally {
    // It waits for the server to close the connection.
    await settledWithin(CLOSE_MS, client.end())
  }
}

function faultIn(facts: Facts, client: pg.Client): string | undefined {
  const { host, database = '', user = '' } = client
  const role = pg.escapeIdentifier(user)
  if (Number.parseInt(facts.version, 10) < OLDEST)
    return `Postgres at ${host} is version ${facts.version}; ${OLDEST} or later is needed`
  if (facts.is_standby) return `Postgres at ${host} is a standby, which only reads; name the primary server`
  if (!facts.may_make_roles) return `its user may not make roles; run as a superuser: ALTER ROLE ${role} CREATEROLE`
  if (!facts.may_make_schemas)
    return `its user may not make schemas; run as a superuser: GRANT CREATE ON DATABASE ${pg.escapeIdentifier(database)} TO ${role}`
  return undefined
}

/** Messages of Postgres name roles and databases, never passwords. */
function refusal(error: unknown, { host, port, database }: pg.Client): string {
  const where = `Postgres at ${host}:${port}`
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  const reason = error instanceof Error ? error.message || code : String(error)
  if (code.startsWith('28')) return `${where} refuses the login (${reason}); correct user and password in the URL`
  if (code === '3D000') return `${where} has no database ${database}; make it with createdb, or correct the URL`
  if (error instanceof pg.DatabaseError) return `${where} answers: ${reason}`
  return `${where} does not answer (${reason}); start it, correct the URL, or remove the setting: then a built-in Postgres is used`
}
