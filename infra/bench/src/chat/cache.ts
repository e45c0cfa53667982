import { rounds, sliceMs } from '../measuring/effort.ts'
import { median } from '../measuring/load.ts'
import { cpuOf, printByProcess, spread } from '../measuring/measure.ts'
import { wordsOf } from './ask.ts'
import { startOurs } from './sides.ts'
import { slice, type Slice, textOf } from './slice.ts'

const CLIENTS = 64
const ROUNDS = rounds(3)
const SLICE_MS = sliceMs(5_000)
const WARM_UP_MS = sliceMs(5_000)
const KEPT = { cache: true }

/**
 * The answer of 20 tokens of the bench `answers`, asked for with `cache` so that it is one that was given before, and without: CPU over all
 * processes but the model's. Each is the first answer of a new session. The ratio is kept / made.
 */
export async function cache(stack: AsyncDisposableStack): Promise<number> {
  const { system } = await startOurs(stack, { clients: CLIENTS, rules: [{ reply: { text: wordsOf(20) } }] })
  await slice(system, WARM_UP_MS)
  await slice(system, WARM_UP_MS, () => KEPT)
  const ratios: number[] = []
  const all: Slice[] = []
  for (let round = 1; round <= ROUNDS; round += 1) {
    const made = await slice(system, SLICE_MS)
    const kept = await slice(system, SLICE_MS, () => KEPT)
    all.push(kept)
    ratios.push(cpuOf(kept) / cpuOf(made))
    console.log(`round ${round}: made ${textOf(made)}; kept ${textOf(kept)}`)
  }
  printByProcess(all, 'kept answer')
  console.log(`kept / made: ${spread(ratios, 3)}`)
  return median(ratios)
}
