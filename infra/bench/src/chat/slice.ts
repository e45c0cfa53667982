import { Agent } from 'node:http'
import { cpuSeconds } from '../process-cpu.ts'
import { median } from '../load.ts'
import { ask } from './ask.ts'
import type { Side } from './sides.ts'

export interface Slice {
  readonly perSecond: number
  /** CPU in ms for one answer, by process. */
  readonly cpu: ReadonlyMap<string, number>
  /** Of the first token, in ms. */
  readonly firstToken: number
}

/** What the n-th request of a client sends beside the text. */
export type BodyOf = (client: number, n: number) => Readonly<Record<string, unknown>>

/** Each client asks again as soon as it has its answer, for so long. */
export async function slice({ url, clients, processes }: Side, ms: number, bodyOf: BodyOf = () => ({})): Promise<Slice> {
  const agent = new Agent({ keepAlive: true })
  const before = await cpuSeconds(processes)
  const started = performance.now()
  const until = started + ms
  const firstTokens: number[] = []
  const askAgain = async (headers: Readonly<Record<string, string>>, client: number) => {
    for (let n = 0; performance.now() < until; n += 1) {
      const [first = Number.NaN] = await ask({ url, headers, agent, body: bodyOf(client, n) })
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

export const cpuOf = ({ cpu }: Slice): number => [...cpu.values()].reduce((sum, ms) => sum + ms, 0)

export const textOf = (one: Slice): string =>
  `${one.perSecond.toFixed(0)} answers/s, ${cpuOf(one).toFixed(1)} ms CPU, first token ${one.firstToken.toFixed(0)} ms`
