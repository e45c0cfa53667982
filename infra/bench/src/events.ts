import { setTimeout as sleep } from 'node:timers/promises'
import { fork } from 'node:child_process'
import { join } from 'node:path'
import pg from 'pg'
import { rounds } from './measuring/effort.ts'
import { cpuOf, type Cost, measure, perSecond, printByProcess, spread } from './measuring/measure.ts'
import { median } from './measuring/load.ts'
import { endWith, firstMessage, startSystem, temporaryDir } from './system.ts'

const EVENTS = 20_000
const ROUNDS = rounds(3)
const LIMIT_MS = 120_000

/**
 * 20,000 events that are committed at once in the outbox of chat-agent, until analytics has stored them all; against one process that
 * publishes as many to a JetStream stream, takes them in batches and stores each batch with one insert. The ratio is bare / system in CPU.
 */
export async function events(stack: AsyncDisposableStack): Promise<number> {
  const { endpoints } = await startSystem(stack, ['--no-demo'], /^API +http/m)
  const { postgres, processes } = endpoints
  const database = new pg.Client({ connectionString: postgres })
  await database.connect()
  stack.defer(() => database.end())
  const env = { ...process.env, DATABASE_URL: postgres, DIR: await temporaryDir(stack), EVENTS: String(EVENTS) }
  const bare = fork(join(import.meta.dirname, 'baselines/events.ts'), { env })
  endWith(stack, bare)
  const nats = (await firstMessage(bare)) as { pid: number }
  const ours = processes.filter(({ name }) => name !== 'offline-model')
  const bareProcesses = [
    { name: 'bare', pid: bare.pid ?? 0 },
    { name: 'nats', pid: nats.pid },
    ...ours.filter(({ name }) => name === 'postgres'),
  ]
  const all: Cost[] = []
  const ratios: number[] = []
  for (let round = 0; round <= ROUNDS; round += 1) {
    const system = await measure(ours, () => untilStored(database))
    const base = await measure(bareProcesses, async () => {
      bare.send('go')
      await firstMessage(bare)
      return EVENTS
    })
    // The first round warms up.
    if (round === 0) continue
    all.push(system)
    ratios.push(cpuOf(base) / cpuOf(system))
    console.log(`round ${round}: system ${text(system)}; bare ${text(base)}`)
  }
  printByProcess(all, 'event')
  console.log(`bare / system: ${spread(ratios)}`)
  return median(ratios)
}

const text = (cost: Cost) => `${perSecond(cost).toFixed(0)} events/s, ${(cpuOf(cost) * 1_000).toFixed(0)} us CPU for one event`

/** Resolves to the number of events. */
async function untilStored(database: pg.Client): Promise<number> {
  const stored = async () => Number((await database.query('select count(*) from analytics.messages')).rows[0].count)
  const wanted = (await stored()) + EVENTS
  await database.query(
    `insert into chat_agent.outbox (id, subject, data)
      select gen_random_uuid(), 'events.chat-agent.v1.message.created', jsonb_build_object('message_id', gen_random_uuid(),
        'session_id', gen_random_uuid(), 'user_id', gen_random_uuid(), 'role', 'user', 'model', null, 'tokens_in', 0, 'tokens_out', 0)
      from generate_series(1, $1::integer)`,
    [EVENTS],
  )
  for (const until = performance.now() + LIMIT_MS; (await stored()) < wanted;) {
    if (performance.now() > until) throw new Error(`only ${(await stored()) - wanted + EVENTS} of ${EVENTS} events arrived`)
    await sleep(100)
  }
  return EVENTS
}
