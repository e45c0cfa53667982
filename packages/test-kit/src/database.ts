import { randomBytes } from 'node:crypto'
import pg from 'pg'

/** The password of every service's role in tests. */
export const testPassword = 'test-only-password'

interface TestDatabaseOptions {
  /** Databases with the same template start with the same content. */
  readonly template: string
  /** Fills the template; runs once per Postgres server. */
  readonly prepare: (adminUrl: string) => Promise<void>
}

export interface TestDatabase extends AsyncDisposable {
  /** An administrator's URL of a fresh clone of the template. */
  readonly adminUrl: string
}

/** An administrator's URL of the run's Postgres, which global-setup.ts has started. */
function testPostgres(): string {
  const url = process.env['TEST_POSTGRES_URL']
  if (!url) throw new Error('TEST_POSTGRES_URL is not set: run the tests with the vitest.config.ts of the root')
  return url
}

/** Creates a database for one test file: a clone of a template, about 45 ms. */
export async function testDatabase({ template, prepare }: TestDatabaseOptions): Promise<TestDatabase> {
  const serverUrl = testPostgres()
  const templateName = `template_${template.replaceAll(/\W/g, '_')}`
  const name = `test_${randomBytes(8).toString('hex')}`
  await asAdmin(serverUrl, async (admin) => {
    await admin.query(`select pg_advisory_lock(hashtext('test-kit'))`)
    const { rowCount } = await admin.query('select from pg_database where datname = $1', [templateName])
    if (rowCount === 0) await makeTemplate(admin, serverUrl, templateName, prepare)
    await admin.query(`create database ${name} template ${templateName}`)
  })
  return {
    adminUrl: withDatabase(serverUrl, name),
    [Symbol.asyncDispose]: () => asAdmin(serverUrl, (admin) => admin.query(`drop database ${name} with (force)`)),
  }
}

async function makeTemplate(admin: pg.Client, serverUrl: string, name: string, prepare: TestDatabaseOptions['prepare']) {
  await admin.query(`drop database if exists ${name}_new with (force)`)
  await admin.query(`create database ${name}_new`)
  await prepare(withDatabase(serverUrl, `${name}_new`))
  await admin.query(`select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}_new'`)
  await admin.query(`alter database ${name}_new rename to ${name}`)
}

async function asAdmin(url: string, work: (admin: pg.Client) => Promise<unknown>): Promise<void> {
  const admin = new pg.Client({ connectionString: url })
  await admin.connect()
  try {
    await work(admin)
  } finally {
    await admin.end()
  }
}

function withDatabase(url: string, name: string): string {
  const changed = new URL(url)
  changed.pathname = `/${name}`
  return changed.href
}
