import { setTimeout as sleep } from 'node:timers/promises'
import { conclude } from './account.ts'
import { Client } from './client.ts'
import { type RunningSystem, startSystem } from './running-system.ts'
import { describe, isFailure, newLedger, type Outcome, work } from './work.ts'

export interface KillOptions {
  readonly kills: number
  readonly seed: number
}

interface RandomKills extends KillOptions {
  /** Names of the processes; by default all. */
  readonly targets?: RegExp
}

const PAUSE_MS = { least: 1_000, most: 5_000 } as const
const RECOVERY_MS = 20_000
const WELL_MS = 10_000
const KINDS = ['groups', 'search', 'session']
const WORKERS = [KINDS, KINDS, ['chat'], ['chat'], ['upload'], ['upload']]

/** False when anything acknowledged is lost, double or stuck, or requests still fail 20 s after the last kill. */
export async function kill(stack: AsyncDisposableStack, { kills, seed }: KillOptions): Promise<boolean> {
  const system = await startSystem(stack, ['--replicas', 'chat-agent=2,ingestion=2'], {
    env: { OFFLINE_MODEL__TOKENS_PER_SECOND: '40' },
  })
  const client = new Client(system.api, system.key)
  const ledger = newLedger()
  const outcomes: Outcome[] = []
  const stop = new AbortController()
  const workers = Promise.all(WORKERS.map((tasks) => work(client, { tasks, stop: stop.signal, ledger, outcomes })))
  await killAtRandom(system, { kills, seed })
  await sleep(RECOVERY_MS)
  const recovered = performance.now()
  await sleep(WELL_MS)
  stop.abort()
  await workers
  const after = outcomes.filter(({ at }) => at > recovered)
  const late = after.filter(isFailure)
  console.log(
    `seed ${seed}, ${kills} kills: ${outcomes.filter(isFailure).length} of ${outcomes.length} requests failed meanwhile; ` +
      `${RECOVERY_MS / 1_000} s after the last kill ${late.length} of ${after.length} failed${describe(late)}; ` +
      `longest without a success: ${longestGaps(outcomes)}`,
  )
  return conclude(client, system, ledger, late.length === 0 && after.length > 0)
}

/** Each process but the model in turn, in a random order, so that a run of some length hits everything. */
export async function killAtRandom(system: RunningSystem, { kills, seed, targets = /(?:)/ }: RandomKills): Promise<void> {
  const random = randomFrom(seed)
  const names = (await system.names()).filter((name) => name !== 'offline-model' && targets.test(name))
  let bag: string[] = []
  for (let n = 1; n <= kills; n += 1) {
    await sleep(PAUSE_MS.least + random() * (PAUSE_MS.most - PAUSE_MS.least))
    if (bag.length === 0) bag = shuffled(names, random)
    const name = bag.pop() ?? ''
    const isKilled = await system.kill(name)
    console.log(`${n}/${kills} kill -9 ${name}${isKilled ? '' : ' (was down already)'}`)
  }
}

/** Per kind of request the longest time between two successes with a failure between them. */
function longestGaps(outcomes: readonly Outcome[]): string {
  const kinds = [...new Set(outcomes.map(({ what }) => what))].filter((what) => what !== 'chat')
  return kinds
    .map((kind) => {
      let [longest, last, failed] = [0, 0, false]
      for (const outcome of outcomes.filter(({ what }) => what === kind)) {
        if (isFailure(outcome)) failed = true
        else {
          if (failed && last > 0) longest = Math.max(longest, outcome.at - last)
          last = outcome.at
          failed = false
        }
      }
      return `${kind} ${(longest / 1_000).toFixed(1)} s`
    })
    .join(', ')
}

/** mulberry32: the same numbers in [0, 1) for the same seed. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

function shuffled(names: readonly string[], random: () => number): string[] {
  const result = [...names]
  for (let at = result.length - 1; at > 0; at -= 1) {
    const other = Math.floor(random() * (at + 1))
    const [a, b] = [result[at] ?? '', result[other] ?? '']
    result[at] = b
    result[other] = a
  }
  return result
}
