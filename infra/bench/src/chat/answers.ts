import { Agent } from 'node:http'
import { rounds, sliceMs } from '../effort.ts'
import { median } from '../load.ts'
import { cpuSeconds } from '../process-cpu.ts'
import { ask } from './ask.ts'
import { type Side, startSides } from './sides.ts'

const CLIENTS = 64
const ROUNDS = rounds(3)
const SLICE_MS = sliceMs(8_000)
const WARM_UP_MS = sliceMs(8_000)
const ANSWER = Array.from({ length: 20 }, (_, n) => `word${n}`).join(' ')

interface Slice {
  readonly perSecond: number
  /** CPU in ms for one answer, by process. */
  readonly cpu: ReadonlyMap<string, number>
  /** Of the first token, in ms. */
  readonly firstToken: number
}

/**
 * Answers of 20 tokens from a model that answers at once, to 64 clients of 64 users: CPU over all processes of the system, Postgres
 * and NATS among them, against one process that streams and stores the same answer. The ratio is bare / system.
 */
export async function answers(stack: AsyncDisposableStack): Promise<number> {
  const { system: ours, bare } = await startSides(stack, { clients: CLIENTS, answer: ANSWER, tokensPerSecond: 0 })
  for (const side of [ours, bare]) await slice(side, WARM_UP_MS)
  const ratios: number[] = []
  const all: Slice[] = []
  for (let round = 1; round <= ROUNDS; round += 1) {
    const [system, base] = [await slice(ours, SLICE_MS), await slice(bare, SLICE_MS)]
    all.push(system)
    ratios.push(total(base) / total(system))
    const text = (one: Slice) =>
      `${one.perSecond.toFixed(0)} answers/s, ${total(one).toFixed(1)} ms CPU, first token ${one.firstToken.toFixed(0)} ms`
    console.log(`round ${round}: system ${text(system)}; bare ${text(base)}`)
  }
  for (const { name } of ours.processes)
    console.log(`  ${name}: ${median(all.map(({ cpu }) => cpu.get(name) ?? 0)).toFixed(2)} ms CPU for one answer`)
  return median(ratios)
}

const total = ({ cpu }: Slice): number => [...cpu.values()].reduce((sum, ms) => sum + ms, 0)

async function slice({ url, clients, processes }: Side, ms: number): Promise<Slice> {
  const agent = new Agent({ keepAlive: true })
  const before = await cpuSeconds(processes)
  const started = performance.now()
  const until = started + ms
  const firstTokens: number[] = []
  const askAgain = async (headers: Readonly<Record<string, string>>) => {
    while (performance.now() < until) {
      const [first = Number.NaN] = await ask({ url, headers, agent, end: 'word19' })
      firstTokens.push(first)
    }
  }
  await Promise.all(clients.map(askAgain))
  const seconds = (performance.now() - started) / 1_000
  const after = await cpuSeconds(processes)
  agent.destroy()
  const count = firstTokens.length
  const cpu = new Map([...after].map(([name, used]) => [name, ((used - (before.get(name) ?? 0)) * 1_000) / count]))
  return { perSecond: count / seconds, cpu, firstToken: median(firstTokens) }
}
