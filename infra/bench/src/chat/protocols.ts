import { rounds, sliceMs } from '../measuring/effort.ts'
import { median } from '../measuring/load.ts'
import { cpuOf, printByProcess, spread } from '../measuring/measure.ts'
import { type Protocol, PROTOCOLS, wordsOf } from './ask.ts'
import { type BodyOf, slice, type Slice, textOf } from './slice.ts'
import { startOurs } from './sides.ts'

const CLIENTS = 64
const ROUNDS = rounds(3)
const SLICE_MS = sliceMs(6_000)

/** What is compared with the first of them. */
interface Way {
  readonly name: string
  readonly protocol: Protocol
  readonly bodyOf?: BodyOf
}

const WAYS: readonly Way[] = PROTOCOLS.map((protocol) => ({ name: protocol.path, protocol }))

/**
 * The same answer of 20 tokens by each protocol, to 64 clients of 64 users from a model that answers at once: CPU over all processes,
 * against that of /v1/chat in the same round. The ratio is /v1/chat / the dearest.
 */
export async function protocols(stack: AsyncDisposableStack): Promise<number> {
  const { system } = await startOurs(stack, { clients: CLIENTS, rules: [{ reply: { text: wordsOf(20) } }] })
  const run = ({ bodyOf, protocol }: Way) => slice(system, SLICE_MS, bodyOf, protocol)
  for (const way of WAYS) await run(way)
  const all: Slice[][] = WAYS.map(() => [])
  for (let round = 1; round <= ROUNDS; round += 1) {
    // No way always follows the same one.
    const order = WAYS.map((_, n) => (n * (round % 2 === 0 ? -1 : 1) + WAYS.length) % WAYS.length)
    for (const n of order) {
      const way = WAYS[n]
      if (way) all[n]?.push(await run(way))
    }
    const told = WAYS.map(({ name }, n) => `${name} ${textOf(all[n]?.at(-1) ?? NOTHING)}`)
    console.log(`round ${round}: ${told.join('; ')}`)
  }
  const chat = all[0] ?? []
  const costs = all.map((slices) => slices.map((one, round) => cpuOf(one) / cpuOf(chat[round] ?? NOTHING)))
  for (const [n, { name }] of WAYS.entries()) {
    console.log(`${name}: ${spread(costs[n] ?? [])} times the CPU of ${WAYS[0]?.name}`)
    printByProcess(all[n] ?? [], 'answer')
  }
  return 1 / Math.max(...costs.map(median))
}

const NOTHING: Slice = { units: Number.NaN, seconds: Number.NaN, cpu: new Map(), firstToken: Number.NaN }
