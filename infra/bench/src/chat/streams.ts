import { Agent } from 'node:http'
import { rounds } from '../effort.ts'
import { median, percentile } from '../load.ts'
import { cpuSeconds } from '../process-cpu.ts'
import { ask } from './ask.ts'
import { type Side, startSides } from './sides.ts'

const STREAMS = 200
const TOKENS_PER_SECOND = 50
const TOKENS = 400
const ROUNDS = rounds(2)
const ANSWER = Array.from({ length: TOKENS }, (_, n) => `word${n}`).join(' ')
const END = `word${TOKENS - 1}`

interface Slice {
  /** Microseconds of CPU for one token. */
  readonly cpu: number
  readonly tokensPerSecond: number
  /** Between two tokens of one stream, in ms: the longest of 99 %. */
  readonly gap: number
}

/** 200 answers at a time of 50 tokens a second each: CPU for one token over all processes. The ratio is bare / system. */
export async function streams(stack: AsyncDisposableStack): Promise<number> {
  const { system, bare } = await startSides(stack, { clients: STREAMS, answer: ANSWER, tokensPerSecond: TOKENS_PER_SECOND })
  const ratios: number[] = []
  for (let round = 1; round <= ROUNDS; round += 1) {
    const [ours, base] = [await stream(system), await stream(bare)]
    ratios.push(base.cpu / ours.cpu)
    console.log(`round ${round}: system ${text(ours)}; bare ${text(base)}`)
  }
  return median(ratios)
}

const text = ({ cpu, tokensPerSecond, gap }: Slice) =>
  `${tokensPerSecond.toFixed(0)} tokens/s, ${cpu.toFixed(0)} us CPU for one, 99 % within ${gap.toFixed(0)} ms of the one before`

async function stream({ url, clients, processes }: Side): Promise<Slice> {
  const agent = new Agent({ keepAlive: true })
  const before = total(await cpuSeconds(processes))
  const started = performance.now()
  const all = await Promise.all(clients.map((headers) => ask({ url, headers, agent, end: END })))
  const seconds = (performance.now() - started) / 1_000
  const used = total(await cpuSeconds(processes)) - before
  agent.destroy()
  const tokens = STREAMS * TOKENS
  const gaps = all.flatMap((times) => times.slice(1).map((time, n) => time - (times[n] ?? 0)))
  return { cpu: (used * 1e6) / tokens, tokensPerSecond: tokens / seconds, gap: percentile(gaps, 99) }
}

const total = (cpu: ReadonlyMap<string, number>): number => [...cpu.values()].reduce((sum, seconds) => sum + seconds, 0)
