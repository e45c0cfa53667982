import { Agent } from 'node:http'
import { type Cost, cpuOf, measure, perSecond } from '../measuring/measure.ts'
import { median } from '../measuring/load.ts'
import { ask, type Protocol } from './ask.ts'
import type { Side } from './sides.ts'

/** Of answers. */
export interface Slice extends Cost {
  /** Ms, of the first token. */
  readonly firstToken: number
}

/** What the n-th request of a client sends beside the text. */
export type BodyOf = (client: number, n: number) => Readonly<Record<string, unknown>>

/** Each client asks again as soon as it has its answer, for so long. */
export async function slice(
  { url, clients, processes }: Side,
  ms: number,
  bodyOf: BodyOf = () => ({}),
  protocol?: Protocol,
): Promise<Slice> {
  const agent = new Agent({ keepAlive: true })
  const until = performance.now() + ms
  const firstTokens: number[] = []
  const askAgain = async (headers: Readonly<Record<string, string>>, client: number) => {
    for (let n = 0; performance.now() < until; n += 1) {
      const [first = Number.NaN] = await ask({ url, headers, agent, body: bodyOf(client, n), protocol })
      firstTokens.push(first)
    }
  }
  const cost = await measure(processes, async () => {
    await Promise.all(clients.map(askAgain))
    return firstTokens.length
  })
  agent.destroy()
  return { ...cost, firstToken: median(firstTokens) }
}

export const textOf = (one: Slice): string =>
  `${perSecond(one).toFixed(0)} answers/s, ${cpuOf(one).toFixed(1)} ms CPU, first token ${one.firstToken.toFixed(0)} ms`
