import { Agent } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { rounds } from '../effort.ts'
import { percentile } from '../load.ts'
import { ask, wordsOf } from './ask.ts'
import { type Side, startSides } from './sides.ts'

const STREAMS = 200
const WITHIN_MS = 1_000
const ROUNDS = rounds(3)

/** Time to first token: 200 users ask within one second a model that answers at once. The ratio is bare / system. */
export async function ttft(stack: AsyncDisposableStack): Promise<number> {
  const { system, bare } = await startSides(stack, { clients: STREAMS, rules: [{ reply: { text: wordsOf(20) } }] })
  for (const side of [system, bare]) await open(side)
  const [ours, base]: number[][] = [[], []]
  for (let round = 1; round <= ROUNDS; round += 1) {
    const [mine, others] = [await open(system), await open(bare)]
    ours?.push(...mine)
    base?.push(...others)
    console.log(`round ${round}: system ${text(mine)}; bare ${text(others)}`)
  }
  return percentile(base ?? [], 50) / percentile(ours ?? [], 50)
}

const text = (times: readonly number[]) =>
  `first token after ${percentile(times, 50).toFixed(0)} ms, of 99 % after ${percentile(times, 99).toFixed(0)} ms`

async function open({ url, clients }: Side): Promise<number[]> {
  const agent = new Agent({ keepAlive: true })
  const asking = clients.map(async (headers, n) => {
    await sleep((n * WITHIN_MS) / STREAMS)
    const [first = Number.NaN] = await ask({ url, headers, agent })
    return first
  })
  const times = await Promise.all(asking)
  agent.destroy()
  return times
}
