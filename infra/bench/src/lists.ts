import pg from 'pg'
import { ApiUser } from './api-user.ts'
import { sliceMs } from './measuring/effort.ts'
import { fillTables } from './explain/fill-tables.ts'
import { joinGroups } from './explain/join-groups.ts'
import { median } from './measuring/load.ts'
import { cpuOf, measure, repeated, spread } from './measuring/measure.ts'
import { type Endpoints, startSystem } from './system.ts'

const OTHERS = 100_000
const GROUPS = 950
const MINE = 10
const SLICE_MS = sliceMs(1_000)
const AT_ONCE = 4
/** A user can be in 1,000. */
const MOST_GROUPS = 250
const PATHS = ['sessions', 'documents', 'ingestion-runs', 'tool-runs', 'tasks', 'analytics/dashboard', 'groups']

/**
 * CPU for one GET of each list by a user with 10 rows: alone, beside 100,000 rows of others in every table, and as a member of 950 groups.
 * The ratio is alone / beside others, the median of all lists.
 */
export async function lists(stack: AsyncDisposableStack): Promise<number> {
  const { endpoints } = await startSystem(stack, ['--no-demo'], /^API +http/m)
  const admin = new pg.Client({ connectionString: endpoints.postgres })
  await admin.connect()
  stack.defer(() => admin.end())
  const root = ApiUser.root(endpoints)
  const [user, member] = [await newUser(root, 'user'), await newUser(root, 'member')]
  await joinGroups(admin, member.id, GROUPS)
  await costs(endpoints, user)
  const alone = await costs(endpoints, user)
  const spaces = Array.from({ length: 1_000 }, () => crypto.randomUUID())
  await fillTables(admin, { rows: OTHERS, spaces })
  const beside = await costs(endpoints, user)
  const inGroups = await costs(endpoints, member)
  const created = await repeated(() => cost(endpoints, () => user.post('/v1/groups', { name: crypto.randomUUID() }), MOST_GROUPS))
  console.log('ms CPU for one GET: alone, beside 100,000 rows of others in every table, and as a member of 950 groups')
  for (const path of PATHS) {
    const [a, b, c] = [alone, beside, inGroups].map((all) => spread(all.get(path) ?? []))
    console.log(`  /v1/${path}: ${a}, ${b}, ${c}`)
  }
  console.log(`  POST /v1/groups: ${spread(created)}`)
  const ratios = PATHS.map((path) => median(alone.get(path) ?? []) / median(beside.get(path) ?? []))
  console.log(`alone / beside others: ${spread(ratios)}`)
  return median(ratios)
}

async function newUser(root: ApiUser, name: string): Promise<ApiUser> {
  const user = await root.addUser(name)
  for (let n = 0; n < MINE; n += 1) {
    await user.upload({ [`note-${n}.md`]: `# Note ${n}\n\nThe ${n}th note of ${name}.\n` })
    await user.post('/v1/chat', { text_input: `Which is the ${n}th note?`, stream: false })
  }
  await user.post('/v1/groups', { name })
  return user
}

/** The rounds of each path. */
async function costs(endpoints: Endpoints, user: ApiUser): Promise<ReadonlyMap<string, readonly number[]>> {
  const found = new Map<string, readonly number[]>()
  for (const path of PATHS) found.set(path, await repeated(() => cost(endpoints, () => user.get(`/v1/${path}`))))
  return found
}

/** CPU in ms over all processes for one request. */
async function cost({ processes }: Endpoints, request: () => Promise<unknown>, most = Infinity): Promise<number> {
  const until = performance.now() + SLICE_MS
  let count = 0
  const again = async () => {
    for (; performance.now() < until && count < most; count += 1) await request()
  }
  const used = await measure(processes, async () => {
    await Promise.all(Array.from({ length: AT_ONCE }, again))
    return count
  })
  return cpuOf(used)
}
