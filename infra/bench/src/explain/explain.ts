import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { allSchemas } from '@youworker/database/schema/all-schemas'
import { UNINDEXED_KEYS } from '@youworker/database/schema/unindexed-keys'
import pg from 'pg'
import { ApiUser } from '../api-user.ts'
import { startSystem } from '../system.ts'
import { fillTables } from './fill-tables.ts'
import { joinGroups } from './join-groups.ts'
import { readPlans, type Scan } from './read-plans.ts'

const ROWS = 100_000
/** A user can be in 1,000 at most, and each pass makes one. */
const GROUPS = 950
/** What one statement may look at in one table: a page of 50 in each group, or each group once. */
const MOST_ROWS = 5_000
/** Postgres plans a prepared statement without its parameters from the sixth time on. */
const PASSES = 7
const OTHERS = Array.from({ length: 1_000 }, () => crypto.randomUUID())

const LOG_PLANS = [
  `session_preload_libraries = 'auto_explain'`,
  'auto_explain.log_min_duration = 0',
  'auto_explain.log_analyze = on',
  'auto_explain.log_timing = off',
  'auto_explain.log_format = json',
]

interface Explained {
  readonly scans: readonly Scan[]
  /** Foreign keys without an index. */
  readonly keys: readonly { readonly table_name: string; readonly key_name: string }[]
}

/**
 * Runs the requests of one user with a few rows, who is a member of 1,000 groups, beside 100,000 rows of others in every table. Returns
 * the scans that looked at more rows than that user's own, one per statement, and the foreign keys that no index serves.
 */
export async function explain(stack: AsyncDisposableStack): Promise<Explained> {
  const { endpoints, dataDir } = await startSystem(stack, ['--no-demo'], /^API +http/m)
  const admin = new pg.Client({ connectionString: endpoints.postgres })
  await admin.connect()
  stack.defer(() => admin.end())
  const user = await ApiUser.root(endpoints).addUser('reader')
  await useEverything(user)
  await joinGroups(admin, user.id, GROUPS)
  const empty = await fillTables(admin, { rows: ROWS, spaces: OTHERS })
  if (empty.length > 0) console.log(`without rows: ${empty.join(', ')}`)
  await logPlans(admin)
  await untilReconnected(() => useEverything(user))
  const log = join(dataDir, 'logs/postgres.log')
  const before = (await readFile(log, 'utf8')).length
  for (let pass = 0; pass < PASSES; pass += 1) await useEverything(user)
  const scans = readPlans((await readFile(log, 'utf8')).slice(before))
  const largest = new Map<string, Scan>()
  for (const scan of scans) {
    const key = `${scan.table} ${scan.statement}`
    if (scan.rows > (largest.get(key)?.rows ?? MOST_ROWS)) largest.set(key, scan)
  }
  const { rows: keys } = await admin.query<Explained['keys'][number]>(UNINDEXED_KEYS, [
    Object.values(allSchemas).map(({ schema }) => schema),
  ])
  return { scans: [...largest.values()], keys }
}

/** Every kind of request, so that every table has a row of this user and every statement runs. */
async function useEverything(user: ApiUser): Promise<void> {
  await user.upload({ 'leave.md': `# Leave ${crypto.randomUUID()}\n\nEvery employee has 27 days of paid leave.\n` })
  const { metadata } = (await user.post('/v1/chat', { text_input: 'How many days of leave?', stream: false })) as {
    metadata: { session_id: string }
  }
  const session = metadata.session_id
  const once = () => ({ 'idempotency-key': crypto.randomUUID() })
  await user.post('/v1/chat', { text_input: 'And how many exactly?', stream: false, session_id: session }, once())
  const { messages } = (await user.get(`/v1/sessions/${session}`)) as { messages: { id: string }[] }
  await user.post(`/v1/sessions/${session}/messages/${messages[0]?.id}/retry`, { stream: false }, once())
  await user.signIn()
  const group = (await user.post('/v1/groups', { name: crypto.randomUUID() }, once())) as { id: string }
  await user.post('/v1/search', { query: 'paid leave' })
  await user.upload({ 'gone.md': `# Gone ${crypto.randomUUID()}\n\nNobody needs it.\n` })
  const one = async (q: string) =>
    ((await user.get(`/v1/documents?limit=1&q=${q}`)) as { documents: { id: string }[] }).documents[0]?.id ?? ''
  await user.delete(`/v1/documents/${await one('gone.md')}?purge=true`)
  await deleteAndRestore(user, await one('leave.md'), session, group.id)
  const lists = [
    'erasures',
    'erasures?kind=document',
    'documents?include_deleted=true',
    'sessions?include_deleted=true',
    'groups?include_deleted=true',
    'sessions',
    'documents',
    'documents?tag=a&q=leave',
    'ingestion-runs',
    'tasks',
    'tool-runs',
    'groups',
    'groups/me',
  ]
  const figures = [
    'overview',
    'dashboard',
    'tokens-timeline',
    'tool-performance',
    'tool-timeline',
    'ingestion-stats',
    'session-activity',
  ]
  const things = [`sessions/${session}`, `sessions/${session}/branches`, `groups/${group.id}/members`]
  const paths = [...lists, ...figures.map((name) => `analytics/${name}`), ...things]
  for (const path of paths) await user.get(`/v1/${path}`)
}

async function deleteAndRestore(user: ApiUser, document: string, session: string, group: string): Promise<void> {
  for (const path of [`documents/${document}`, `sessions/${session}`, `groups/${group}`]) {
    await user.delete(`/v1/${path}`)
    await user.post(`/v1/${path}/restore`, {})
  }
  await user.get(`/v1/documents/${document}/chunks`)
}

/** Each request may meet a connection that has ended. */
async function untilReconnected(work: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work()
    } catch (error) {
      if (attempt === 20) throw error
      await sleep(1_000)
    }
  }
}

/** The services connect again, so that the settings hold for their connections too. */
async function logPlans(admin: pg.Client): Promise<void> {
  for (const setting of LOG_PLANS) await admin.query(`alter system set ${setting}`)
  await admin.query('select pg_reload_conf()')
  await admin.query(`select pg_terminate_backend(pid) from pg_stat_activity
    where pid <> pg_backend_pid() and backend_type = 'client backend'`)
}
