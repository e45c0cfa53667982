import { setTimeout as sleep } from 'node:timers/promises'
import { rounds, sliceMs } from './effort.ts'
import { median } from './load.ts'

/** One implementation of the work that is compared. */
export interface Way {
  readonly name: string
  run(): Promise<unknown>
}

interface CompareOptions {
  readonly title: string
  /** How many calls are under way at any time. */
  readonly callers: number
  /** CPU seconds that another process has used so far, where the work costs CPU there as well. */
  readonly serverCpu?: (() => Promise<number>) | undefined
}

interface Slice {
  readonly perSecond: number
  /** Microseconds of CPU for one call: of this process, and of the server. */
  readonly cpu: number
  readonly serverCpu: number
}

const NOTHING: Slice = { perSecond: Number.NaN, cpu: Number.NaN, serverCpu: Number.NaN }
const ROUNDS = rounds(11)
const SLICE_MS = sliceMs(400)
/** By then Node has compiled the code, and statements are prepared. */
const WARM_UP_MS = sliceMs(1_500)

/**
 * Lets the ways take turns in short slices, so that what else the machine does slows all of them, and prints throughput and CPU of each.
 * Returns how many times as many calls per second the first way makes as each other one: medians of the ratios of all rounds.
 */
export async function compare(ways: readonly Way[], options: CompareOptions): Promise<number[]> {
  for (const way of ways) await slice(way, options, WARM_UP_MS)
  const rounds: Slice[][] = []
  for (let round = 0; round < ROUNDS; round += 1) {
    const slices: Slice[] = []
    for (const way of ways) slices.push(await slice(way, options, SLICE_MS))
    rounds.push(slices)
  }
  console.log(
    `${options.title}, ${options.callers} at a time, ${ROUNDS} rounds; in brackets the first way compared with this one`,
  )
  return ways.map(({ name }, index) => {
    const mine = rounds.map((slices) => slices[index] ?? NOTHING)
    const of = (read: (slice: Slice) => number) => median(mine.map(read)).toFixed(0)
    const ratios = (read: (slice: Slice) => number) =>
      rounds.map(([first = NOTHING], round) => read(first) / read(mine[round] ?? NOTHING))
    const calls = ratios(({ perSecond }) => perSecond)
    const range = `${Math.min(...calls).toFixed(2)} to ${Math.max(...calls).toFixed(2)}`
    const cpu = median(ratios((slice) => slice.cpu)).toFixed(2)
    const server = options.serverCpu ? `, ${of((slice) => slice.serverCpu)} us in the server` : ''
    const compared = index === 0 ? '' : ` (calls x ${median(calls).toFixed(2)}, ${range}; CPU x ${cpu})`
    console.log(`  ${name}: ${of(({ perSecond }) => perSecond)}/s, CPU ${of((slice) => slice.cpu)} us${server}${compared}`)
    return median(calls)
  })
}

async function slice(way: Way, { callers, serverCpu }: CompareOptions, ms: number): Promise<Slice> {
  // Work that the previous slice did not wait for, such as the commit of a read, must not count here.
  await sleep(20)
  const server = (await serverCpu?.()) ?? 0
  const cpu = process.cpuUsage()
  const started = performance.now()
  const until = started + ms
  let calls = 0
  const caller = async () => {
    for (; performance.now() < until; calls += 1) await way.run()
  }
  await Promise.all(Array.from({ length: callers }, caller))
  const seconds = (performance.now() - started) / 1_000
  const { user, system } = process.cpuUsage(cpu)
  const serverUsed = ((await serverCpu?.()) ?? 0) - server
  return { perSecond: calls / seconds, cpu: (user + system) / calls, serverCpu: (serverUsed * 1e6) / calls }
}
