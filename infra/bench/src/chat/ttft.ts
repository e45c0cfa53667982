import { Agent } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { rounds } from '../measuring/effort.ts'
import { median, percentile } from '../measuring/load.ts'
import { type Cost, measure, printByProcess, spread } from '../measuring/measure.ts'
import { ask, wordsOf } from './ask.ts'
import { type Side, startSides } from './sides.ts'

const STREAMS = 200
const WITHIN_MS = 1_000
const ALONE = 20
const ROUNDS = rounds(3)

/** Of answers. */
interface Opened extends Cost {
  /** Of each first token, in ms. */
  readonly times: readonly number[]
}

/**
 * Time to first token: 200 users ask within one second a model that answers at once; then one asks after the other. The ratio is
 * bare / system, of the median of the 200.
 */
export async function ttft(stack: AsyncDisposableStack): Promise<number> {
  const { system, bare } = await startSides(stack, { clients: STREAMS, rules: [{ reply: { text: wordsOf(20) } }] })
  for (const side of [system, bare]) await openAll(side)
  const all: Opened[] = []
  const ratios: number[] = []
  for (let round = 1; round <= ROUNDS; round += 1) {
    const [ours, base] = [await openAll(system), await openAll(bare)]
    const alone = [await openInTurn(system), await openInTurn(bare)].map((one) => median(one.times).toFixed(0))
    all.push(ours)
    ratios.push(median(base.times) / median(ours.times))
    console.log(`round ${round}: system ${text(ours)}; bare ${text(base)}; alone ${alone.join(' and ')} ms`)
  }
  printByProcess(all, 'answer')
  console.log(`bare / system: ${spread(ratios, 3)}`)
  return median(ratios)
}

const text = ({ times }: Opened) =>
  `first token after ${percentile(times, 50).toFixed(0)} ms, of 99 % after ${percentile(times, 99).toFixed(0)} ms`

const openAll = (side: Side) =>
  opened(side, (askAs) =>
    side.clients.map(async (headers, n) => {
      await sleep((n * WITHIN_MS) / STREAMS)
      return askAs(headers)
    }),
  )

async function openInTurn(side: Side): Promise<Opened> {
  let before: Promise<unknown> = Promise.resolve()
  return opened(side, (askAs) =>
    side.clients.slice(0, ALONE).map((headers) => {
      const asked = before.then(() => askAs(headers))
      before = asked
      return asked
    }),
  )
}

type Ask = (headers: Readonly<Record<string, string>>) => Promise<number>

async function opened({ url, processes }: Side, askAll: (askAs: Ask) => Promise<number>[]): Promise<Opened> {
  const agent = new Agent({ keepAlive: true })
  const askAs: Ask = async (headers) => (await ask({ url, headers, agent }))[0] ?? Number.NaN
  let times: number[] = []
  const cost = await measure(processes, async () => {
    times = await Promise.all(askAll(askAs))
    return times.length
  })
  agent.destroy()
  return { ...cost, times }
}
