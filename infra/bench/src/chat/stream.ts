import { Agent } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { isQuick, rounds, sliceMs } from '../measuring/effort.ts'
import { median, percentile } from '../measuring/load.ts'
import { type Cost, cpuOf, measure, perSecond, printByProcess, spread } from '../measuring/measure.ts'
import { privateBytes } from '../measuring/process-memory.ts'
import { ask, wordsOf } from './ask.ts'
import { type Side, startSides } from './sides.ts'

interface Load {
  readonly streams: number
  readonly tokensPerSecond: number
}

const USERS = 200
const SECONDS = sliceMs(5_000) / 1_000
/** The start of a run costs more than what follows. */
const OPENED_PER_SECOND = 80
const ROUNDS = rounds(3)
const LOADS: readonly Load[] = [
  { streams: 200, tokensPerSecond: 10 },
  { streams: 200, tokensPerSecond: 50 },
  // Ten tokens a second each are more than two cores carry beside the model and the clients.
  ...(isQuick ? [] : [{ streams: 1_000, tokensPerSecond: 2 }]),
]
/** Those that hold something for each stream. */
const HOLDERS = ['gateway', 'chat-agent']

/** Of tokens. */
interface Slice extends Cost {
  /** How much later each token came than the model's pace would have it, counted from the promptest of its stream, in ms. */
  readonly late: readonly number[]
  /** KiB for one open stream, by process. */
  readonly memory: ReadonlyMap<string, number>
}

/**
 * Answers that stream at the pace of a model: CPU for one token over all processes, memory for one open stream and delay, against one
 * process that streams the same. The ratio is bare / system in CPU, for 200 streams of 50 tokens a second.
 */
export async function stream(stack: AsyncDisposableStack): Promise<number> {
  const rules = LOADS.map((load, n) => {
    return { match: { contains: textOf(n) }, reply: { text: wordsOf(tokensOf(load)), tokens_per_second: load.tokensPerSecond } }
  })
  const { system, bare } = await startSides(stack, { clients: USERS, rules })
  const ratios: number[][] = LOADS.map(() => [])
  const all: Slice[][] = LOADS.map(() => [])
  for (let round = 1; round <= ROUNDS; round += 1) {
    // The last one takes as long as the others together.
    for (const [n, load] of (round === 1 ? LOADS : LOADS.slice(0, 2)).entries()) {
      const [ours, base] = [await run(system, load, textOf(n)), await run(bare, load, textOf(n))]
      ratios[n]?.push(cpuOf(base) / cpuOf(ours))
      all[n]?.push(ours)
      console.log(`round ${round}: ${load.streams} streams of ${load.tokensPerSecond} tokens a second: system ${told(ours)}`)
      console.log(`  bare ${told(base)}`)
    }
  }
  for (const [n, load] of LOADS.entries()) {
    console.log(`${load.streams} streams of ${load.tokensPerSecond} tokens a second: bare / system ${spread(ratios[n] ?? [])}`)
    printByProcess(all[n] ?? [], 'token')
  }
  return median(ratios[1] ?? [])
}

/** All streams are open together for `SECONDS`. */
const secondsOf = ({ streams }: Load) => streams / OPENED_PER_SECOND + SECONDS
const tokensOf = (load: Load) => Math.round(load.tokensPerSecond * secondsOf(load))
const textOf = (load: number) => `Load ${load}`

function told(one: Slice): string {
  const { late, memory } = one
  const [half, most] = [percentile(late, 50), percentile(late, 99)].map((ms) => ms.toFixed(0))
  const sizes = [...memory].map(([name, kib]) => `${name} ${kib.toFixed(0)} KiB`).join(' and ')
  return `${perSecond(one).toFixed(0)} tokens/s, ${(cpuOf(one) * 1_000).toFixed(0)} us CPU for one, late by ${half} ms (99 %: ${most} ms), a stream holds ${sizes}`
}

async function run({ url, clients, processes }: Side, load: Load, text_input: string): Promise<Slice> {
  const agent = new Agent({ keepAlive: true })
  const holders = processes.filter(({ name }) => name === 'bare' || HOLDERS.some((holder) => name.startsWith(holder)))
  const sizes = await privateBytes(holders)
  const asking = async (n: number) => {
    await sleep((n * 1_000) / OPENED_PER_SECOND)
    return ask({ url, headers: clients[n % clients.length] ?? {}, agent, body: { text_input } })
  }
  let grown: ReadonlyMap<string, number> = new Map()
  let times: number[][] = []
  const cost = await measure(processes, async () => {
    const all = Promise.all(Array.from({ length: load.streams }, (_, n) => asking(n)))
    all.catch(() => {})
    // All are open, and none has ended.
    await sleep((secondsOf(load) - SECONDS / 2) * 1_000)
    grown = await privateBytes(holders)
    times = await all
    return load.streams * tokensOf(load)
  })
  agent.destroy()
  const late = times.flatMap((one) => {
    const begun = one.map((time, n) => time - (n * 1_000) / load.tokensPerSecond)
    const prompt = begun.reduce((least, time) => Math.min(least, time), Infinity)
    return begun.map((time) => time - prompt)
  })
  const memory = new Map(
    holders.map(({ name }) => [name, ((grown.get(name) ?? 0) - (sizes.get(name) ?? 0)) / 1_024 / load.streams]),
  )
  return { ...cost, late, memory }
}
