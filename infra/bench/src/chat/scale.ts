import pg from 'pg'
import type { ApiUser } from '../api-user.ts'
import { wordsOf } from './ask.ts'
import { slice } from './slice.ts'
import { startOurs } from './sides.ts'
import { rounds, sliceMs } from '../measuring/effort.ts'
import { fillTables } from '../explain/fill-tables.ts'
import { median } from '../measuring/load.ts'
import { cpuOf, repeated, spread } from '../measuring/measure.ts'

const CLIENTS = 32
const SESSIONS = 10_000
const TURNS = { few: 2, many: 200 } as const
/** A session with few turns is asked so often. */
const ASKED = 3
const SHORT_SESSIONS = 60
const ROUNDS = rounds(3)
const SLICE_MS = sliceMs(5_000)
const RULES = [{ reply: { text: wordsOf(20) } }]

/**
 * What an answer costs as things grow: with 10,000 sessions of each user beside, with 200 turns in the session in place of 2, and with two
 * gateways and two agents in place of one. Prints CPU for one answer; the ratio is that of the least favourable: without / with.
 */
export async function scale(stack: AsyncDisposableStack): Promise<number> {
  const { system, users, endpoints } = await startOurs(stack, { clients: CLIENTS, rules: RULES })
  const { system: twice } = await startOurs(stack, {
    clients: CLIENTS,
    rules: RULES,
    args: ['--replicas', 'gateway=2,chat-agent=2'],
  })
  const fresh = () => ({})
  for (const side of [system, twice]) await slice(side, SLICE_MS)
  const replicas = await compared(
    () => slice(system, SLICE_MS, fresh).then(cpuOf),
    () => slice(twice, SLICE_MS, fresh).then(cpuOf),
  )
  console.log(`two gateways and two agents: ${told(replicas)}`)

  const long = await Promise.all(users.map((user) => newSession(user, TURNS.many)))
  const few = await Promise.all(users.map((user) => newSessions(user, SHORT_SESSIONS)))
  let used = 0
  const next = (client: number, n: number) => few[client]?.[(used + Math.floor(n / ASKED)) % SHORT_SESSIONS]
  const turns = await compared(
    () =>
      slice(system, SLICE_MS, (client, n) => ({ session_id: next(client, n) }))
        .then(cpuOf)
        .finally(() => (used += SHORT_SESSIONS / ROUNDS)),
    () => slice(system, SLICE_MS, (client) => ({ session_id: long[client] })).then(cpuOf),
  )
  console.log(`${TURNS.many} turns in place of ${TURNS.few}: ${told(turns)}`)

  await slice(system, SLICE_MS, fresh)
  const before = await repeated(() => slice(system, SLICE_MS, fresh).then(cpuOf))
  await addSessions(stack, endpoints.postgres, users)
  // Postgres plans anew, and the pages come into memory.
  await slice(system, 2 * SLICE_MS, fresh)
  const after = await repeated(() => slice(system, SLICE_MS, fresh).then(cpuOf))
  const sessions = after.map((cost, round) => ({ without: before[round] ?? Number.NaN, with: cost }))
  console.log(`${SESSIONS} sessions of each user: ${told(sessions)}`)
  return 1 / Math.max(...[replicas, turns, sessions].map((costs) => median(timesOf(costs))))
}

interface Costs {
  readonly without: number
  readonly with: number
}

const timesOf = (costs: readonly Costs[]) => costs.map((one) => one.with / one.without)

const told = (costs: readonly Costs[]) =>
  `${spread(
    costs.map((one) => one.with),
    1,
  )} ms CPU for one answer, without ${spread(
    costs.map(({ without }) => without),
    1,
  )}: ${spread(timesOf(costs))} times`

async function compared(without: () => Promise<number>, having: () => Promise<number>): Promise<Costs[]> {
  const all: Costs[] = []
  for (let round = 1; round <= ROUNDS; round += 1) all.push({ without: await without(), with: await having() })
  return all
}

async function newSessions(user: ApiUser, count: number): Promise<string[]> {
  const ids: string[] = []
  for (let n = 0; n < count; n += 1) ids.push(await newSession(user, TURNS.few))
  return ids
}

/** Resolves to its id. */
async function newSession(user: ApiUser, turns: number): Promise<string> {
  const earlier = Array.from({ length: turns - 2 }, (_, n) => ({
    role: n % 2 === 0 ? 'user' : 'assistant',
    content: wordsOf(20),
  }))
  const body = { messages: [...earlier, { role: 'user', content: 'Say some words.' }], stream: false }
  const { metadata } = (await user.post('/v1/chat', body)) as { metadata: { session_id: string } }
  return metadata.session_id
}

/** Copies of rows in every table, those with a user spread over the users. */
async function addSessions(stack: AsyncDisposableStack, url: string, users: readonly ApiUser[]): Promise<void> {
  const admin = new pg.Client({ connectionString: url })
  await admin.connect()
  stack.defer(() => admin.end())
  await fillTables(admin, { rows: SESSIONS * users.length, spaces: users.map(({ id }) => id) })
  for (const table of ['sessions', 'runs', 'tool_runs', 'jobs'])
    await admin.query(`update chat_agent.${table} set user_id = space_id`)
  await admin.query('vacuum analyze')
}
