import { Agent } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { isQuick, rounds, sliceMs } from '../effort.ts'
import { median, percentile } from '../load.ts'
import { cpuSeconds } from '../process-cpu.ts'
import { privateBytes } from '../process-memory.ts'
import { ask, wordsOf } from './ask.ts'
import { type Side, startSides } from './sides.ts'

interface Load {
  readonly streams: number
  readonly tokensPerSecond: number
}

const USERS = 200
const SECONDS = sliceMs(8_000) / 1_000
/** The start of a run costs more than what follows. */
const OPENED_PER_SECOND = 80
const ROUNDS = rounds(2)
const LOADS: readonly Load[] = [
  { streams: 200, tokensPerSecond: 10 },
  { streams: 200, tokensPerSecond: 50 },
  // Ten tokens a second each are more than two cores carry beside the model and the clients.
  ...(isQuick ? [] : [{ streams: 1_000, tokensPerSecond: 2 }]),
]
/** Those that hold something for each stream. */
const HOLDERS = ['gateway', 'chat-agent']

interface Slice {
  /** Microseconds of CPU for one token. */
  readonly cpu: number
  readonly tokensPerSecond: number
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
  for (let round = 1; round <= ROUNDS; round += 1) {
    // The last one takes as long as the others together.
    for (const [n, load] of (round === 1 ? LOADS : LOADS.slice(0, 2)).entries()) {
      const [ours, base] = [await run(system, load, textOf(n)), await run(bare, load, textOf(n))]
      ratios[n]?.push(base.cpu / ours.cpu)
      console.log(`round ${round}: ${load.streams} streams of ${load.tokensPerSecond} tokens a second: system ${told(ours)}`)
      console.log(`  bare ${told(base)}`)
    }
  }
  return median(ratios[1] ?? [])
}

/** All streams are open together for `SECONDS`. */
const secondsOf = ({ streams }: Load) => streams / OPENED_PER_SECOND + SECONDS
const tokensOf = (load: Load) => Math.round(load.tokensPerSecond * secondsOf(load))
const textOf = (load: number) => `Load ${load}`

function told({ cpu, tokensPerSecond, late, memory }: Slice): string {
  const [half, most] = [percentile(late, 50), percentile(late, 99)].map((ms) => ms.toFixed(0))
  const sizes = [...memory].map(([name, kib]) => `${name} ${kib.toFixed(0)} KiB`).join(' and ')
  return `${tokensPerSecond.toFixed(0)} tokens/s, ${cpu.toFixed(0)} us CPU for one, late by ${half} ms (99 %: ${most} ms), a stream holds ${sizes}`
}

async function run({ url, clients, processes }: Side, load: Load, text_input: string): Promise<Slice> {
  const agent = new Agent({ keepAlive: true })
  const holders = processes.filter(({ name }) => name === 'bare' || HOLDERS.some((holder) => name.startsWith(holder)))
  const sizes = await privateBytes(holders)
  const before = total(await cpuSeconds(processes))
  const started = performance.now()
  const all = Promise.all(
    Array.from({ length: load.streams }, async (_, n) => {
      await sleep((n * 1_000) / OPENED_PER_SECOND)
      return ask({ url, headers: clients[n % clients.length] ?? {}, agent, body: { text_input } })
    }),
  )
  all.catch(() => {})
  // All are open, and none has ended.
  await sleep((secondsOf(load) - SECONDS / 2) * 1_000)
  const grown = await privateBytes(holders)
  const times = await all
  const seconds = (performance.now() - started) / 1_000
  const used = total(await cpuSeconds(processes)) - before
  agent.destroy()
  const tokens = load.streams * tokensOf(load)
  const late = times.flatMap((one) => {
    const begun = one.map((time, n) => time - (n * 1_000) / load.tokensPerSecond)
    const prompt = begun.reduce((least, time) => Math.min(least, time), Infinity)
    return begun.map((time) => time - prompt)
  })
  const memory = new Map(
    holders.map(({ name }) => [name, ((grown.get(name) ?? 0) - (sizes.get(name) ?? 0)) / 1_024 / load.streams]),
  )
  return { cpu: (used * 1e6) / tokens, tokensPerSecond: tokens / seconds, late, memory }
}

const total = (cpu: ReadonlyMap<string, number>): number => [...cpu.values()].reduce((sum, seconds) => sum + seconds, 0)
