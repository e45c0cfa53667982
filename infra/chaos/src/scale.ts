import { setTimeout as sleep } from 'node:timers/promises'
import { SERVICES, type ServiceName } from '@youworker/contracts/topology/topology'
import { type RunningSystem, startSystem } from './running-system.ts'
import { newTally, type Tally, User } from './user.ts'

interface ScaleOptions {
  readonly services: readonly ServiceName[]
  readonly users: number
  readonly seed: number
}

const REPLICAS = 3
/** Largest difference of a replica's share from an equal one, relative to it. */
const TOLERANCE = 0.2
/** With less work a share says nothing: NATS chooses replicas at random. */
const ENOUGH = { requests: 900, jobs: 600 } as const
const TOO_FEW = 60
const LONGEST_MS = 180_000
const QUIZ = { question: 'In how many days does the Moon orbit the Earth?', expected: 'twenty-seven' } as const
const MOON = '# Moon\n\nThe Moon orbits the Earth in about twenty-seven days and always shows it the same face.\n'

/**
 * Restarts each service with one and with three replicas, and scales it from one to three and back, while users work. False when a
 * request failed, an answer was worse than without, or a replica did far more or less than its share.
 */
export async function scale(stack: AsyncDisposableStack, { services, users, seed }: ScaleOptions): Promise<boolean> {
  const system = await startSystem(stack, [])
  let tally = newTally()
  let focus: ServiceName = 'gateway'
  const stop = new AbortController()
  const common = { api: system.api, ...QUIZ, stop: stop.signal, tally: () => tally, focus: () => focus }
  // Each with a space of its own: ingestion reads the files of one space one run after the other.
  const keys = await Promise.all(Array.from({ length: users }, (_, n) => newAccount(system, `user-${n}`)))
  const work = Promise.all(keys.map((key, n) => new User({ ...common, key, random: randomOf(seed + n) }).run()))
  stack.defer(() => stop.abort())
  let wrong = 0
  const total = newTally()
  const step = async (what: string, change: () => Promise<string>) => {
    tally = newTally()
    const said = await change()
    // What was under way when the change ended belongs to it.
    await sleep(2_000)
    const { requests, failed, chats, degraded, resumed, reasons } = tally
    wrong += failed + degraded
    add(total, tally)
    console.log(
      `${what}: ${failed} of ${requests} requests failed, ${degraded} of ${chats} chats degraded, ${resumed} streams resumed${said}`,
    )
    for (const [reason, times] of reasons) console.log(`  ${times} x ${reason}`)
  }
  for (const service of services) {
    focus = service
    const shares = async () => {
      const { text, isEven } = await sharesOf(system, service)
      if (!isEven) wrong += 1
      return `; ${text}`
    }
    const command = (...args: string[]) => system.command(...args).then(() => '')
    await step(`${service}: restart of 1`, () => command('restart', service))
    await step(`${service}: 1 -> ${REPLICAS}`, () => command('scale', `${service}=${REPLICAS}`))
    await step(`${service}: with ${REPLICAS}`, shares)
    await step(`${service}: restart of ${REPLICAS}`, () => command('restart', service))
    await step(`${service}: ${REPLICAS} -> 1`, () => command('scale', `${service}=1`))
  }
  stop.abort()
  await work
  const { requests, failed, chats, degraded } = total
  console.log(`scale:check with ${users} users: ${failed} of ${requests} requests failed, ${degraded} of ${chats} chats degraded`)
  return wrong === 0 && requests > 0 && chats > 0
}

/** Waits until the replicas have worked enough, and compares what each has done since. */
async function sharesOf(system: RunningSystem, service: ServiceName): Promise<{ text: string; isEven: boolean }> {
  const before = await workOf(system, service)
  const hasJobs = before.some(({ jobs }) => jobs !== undefined)
  for (const until = Date.now() + LONGEST_MS; ; await sleep(1_000)) {
    const after = await workOf(system, service)
    const requests = after.map((work, n) => work.requests - (before[n]?.requests ?? 0))
    const jobs = hasJobs ? after.map((work, n) => (work.jobs ?? 0) - (before[n]?.jobs ?? 0)) : []
    const isEnough = sum(requests) >= ENOUGH.requests && (!hasJobs || sum(jobs) >= ENOUGH.jobs)
    if (!isEnough && Date.now() < until) continue
    const all = [describe('requests', requests), ...(hasJobs ? [describe('jobs', jobs)] : [])]
    return { text: all.map(({ text }) => text).join(', '), isEven: all.every(({ isEven }) => isEven) }
  }
}

function describe(what: string, done: readonly number[]): { text: string; isEven: boolean } {
  if (sum(done) < TOO_FEW) return { text: `${what} ${done.join(' + ')}, too few to tell`, isEven: false }
  const equal = sum(done) / done.length
  const worst = Math.max(...done.map((count) => Math.abs(count - equal) / equal))
  return { text: `${what} ${done.join(' + ')}, at most ${Math.round(worst * 100)} % off`, isEven: worst <= TOLERANCE }
}

/** What each replica has done since it began, by its own metrics: HTTP requests or NATS requests, and jobs. */
async function workOf(system: RunningSystem, service: ServiceName): Promise<{ requests: number; jobs: number | undefined }[]> {
  const { processes } = await system.endpoints()
  const replicas = processes.filter(({ name }) => name.startsWith(`${service}.`))
  const metric =
    service === 'gateway' || service === 'tools' ? 'http_request_duration_seconds_count' : 'rpc_duration_seconds_count'
  return Promise.all(
    replicas.map(async ({ health_url }) => {
      const text = await (await fetch(new URL('/metrics', health_url))).text()
      const jobs = valuesOf(text, 'jobs_taken_total')
      return { requests: sum(valuesOf(text, metric)), jobs: jobs.length === 0 ? undefined : sum(jobs) }
    }),
  )
}

const valuesOf = (text: string, metric: string): number[] =>
  text
    .split('\n')
    .filter((line) => line.startsWith(`${metric}{`))
    .map((line) => Number(line.slice(line.lastIndexOf(' '))))

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0)

/** Makes a user whose documents answer the question. Returns the key. */
async function newAccount({ api, key: root }: RunningSystem, username: string): Promise<string> {
  const made = await post(`${api}/v1/admin/users`, root, JSON.stringify({ username }))
  const { api_key: key } = JSON.parse(made) as { api_key: string }
  const body = new FormData()
  body.append('wait', 'true')
  body.append('files', new Blob([MOON]), 'moon.md')
  await post(`${api}/v1/ingest/upload`, key, body)
  return key
}

async function post(url: string, key: string, body: string | FormData): Promise<string> {
  const headers = { 'x-api-key': key, ...(typeof body === 'string' ? { 'content-type': 'application/json' } : {}) }
  const response = await fetch(url, { method: 'POST', headers, body })
  const text = await response.text()
  if (!response.ok) throw new Error(`${url}: ${response.status} ${text}`)
  return text
}

function add(total: Tally, { requests, failed, chats, degraded, resumed }: Tally): void {
  total.requests += requests
  total.failed += failed
  total.chats += chats
  total.degraded += degraded
  total.resumed += resumed
}

/** Numbers of [0, 1) that depend on the seed alone (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

export const isService = (name: string): name is ServiceName => SERVICES.some((service) => service === name)
