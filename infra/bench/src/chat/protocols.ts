import { isQuick, rounds, sliceMs } from '../measuring/effort.ts'
import { median } from '../measuring/load.ts'
import { cpuOf, printByProcess, spread } from '../measuring/measure.ts'
import { type Protocol, PROTOCOLS, wordsOf } from './ask.ts'
import { type BodyOf, slice, type Slice, textOf } from './slice.ts'
import { startOurs } from './sides.ts'

const CLIENTS = isQuick ? 16 : 64
const ROUNDS = rounds(3)
const SLICE_MS = sliceMs(2_000)

/** What is compared with the first of them. */
interface Way {
  readonly name: string
  readonly protocol: Protocol
  readonly bodyOf?: BodyOf
}

const WAYS: readonly Way[] = PROTOCOLS.map((protocol) => ({ name: protocol.path, protocol }))
/** How often they take turns in a round: what else the machine does slows all of them, and each comes first as often as the others. */
const TURNS = isQuick ? 1 : WAYS.length

/**
 * The same answer of 20 tokens by each protocol, to 64 clients of 64 users from a model that answers at once: CPU over all processes,
 * against that of /v1/chat in the same round. The ratio is /v1/chat / the dearest.
 */
export async function protocols(stack: AsyncDisposableStack): Promise<number> {
  const { system } = await startOurs(stack, { clients: CLIENTS, rules: [{ reply: { text: wordsOf(20) } }] })
  const run = ({ bodyOf, protocol }: Way) => slice(system, SLICE_MS, bodyOf, protocol)
  const warmUp = (way: Way) => slice(system, (isQuick ? 1 : 2) * SLICE_MS, way.bodyOf, way.protocol)
  for (const way of WAYS) await warmUp(way)
  const all: Slice[][] = WAYS.map(() => [])
  for (let round = 1; round <= ROUNDS; round += 1) {
    const slices: Slice[][] = WAYS.map(() => [])
    for (let turn = 0; turn < TURNS; turn += 1) {
      for (const n of WAYS.keys()) {
        const at = (n + turn) % WAYS.length
        const way = WAYS[at]
        if (way) slices[at]?.push(await run(way))
      }
    }
    for (const [n, each] of slices.entries()) all[n]?.push(together(each))
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

/** What the slices cost in all. */
function together(slices: readonly Slice[]): Slice {
  const sum = (of: (one: Slice) => number) => slices.reduce((total, one) => total + of(one), 0)
  const units = sum((one) => one.units)
  const names = [...(slices[0]?.cpu.keys() ?? [])]
  const cpu = new Map(names.map((name) => [name, sum((one) => (one.cpu.get(name) ?? 0) * one.units) / units]))
  return { units, seconds: sum(({ seconds }) => seconds), cpu, firstToken: median(slices.map(({ firstToken }) => firstToken)) }
}

const NOTHING: Slice = { units: Number.NaN, seconds: Number.NaN, cpu: new Map(), firstToken: Number.NaN }
