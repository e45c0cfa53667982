import { rounds, sliceMs } from '../measuring/effort.ts'
import { median } from '../measuring/load.ts'
import { cpuOf, printByProcess, spread } from '../measuring/measure.ts'
import { wordsOf } from './ask.ts'
import { slice, type Slice, textOf } from './slice.ts'
import { startSides } from './sides.ts'

const CLIENTS = 64
const ROUNDS = rounds(3)
const SLICE_MS = sliceMs(8_000)
/** V8 goes on optimising for some thousand answers. */
const WARM_UP_MS = sliceMs(24_000)
const SEARCH = { text_input: 'Search, then say some words.' }

/**
 * Answers of 20 tokens from a model that answers at once, to 64 clients of 64 users: CPU over all processes of the system, Postgres
 * and NATS among them, against one process that streams and stores the same answer; then the same with one search in the documents of
 * the user. The ratio is bare / system, without the search.
 */
export async function answers(stack: AsyncDisposableStack): Promise<number> {
  const text = wordsOf(20)
  const search = { tool_calls: [{ name: 'semantic__knowledge_search', arguments: { query: 'moon', mode: 'lexical' } }] }
  const rules = [{ match: { contains: 'Search', last_role: 'user' }, reply: search }, { reply: { text } }]
  const { system: ours, bare, users } = await startSides(stack, { clients: CLIENTS, rules })
  for (const user of users) await user.upload({ 'moon.md': '# Moon\n\nThe Moon orbits the Earth.\n' })
  for (const side of [ours, bare]) await slice(side, WARM_UP_MS)
  const ratios: number[] = []
  const all: Slice[] = []
  const searching: number[] = []
  for (let round = 1; round <= ROUNDS; round += 1) {
    const [system, base, withSearch] = [
      await slice(ours, SLICE_MS),
      await slice(bare, SLICE_MS),
      await slice(ours, SLICE_MS, () => SEARCH),
    ]
    all.push(system)
    ratios.push(cpuOf(base) / cpuOf(system))
    searching.push(cpuOf(withSearch) / cpuOf(system))
    console.log(`round ${round}: system ${textOf(system)}; bare ${textOf(base)}; with one search ${textOf(withSearch)}`)
  }
  printByProcess(all, 'answer')
  console.log(`bare / system: ${spread(ratios, 3)}; with one search an answer costs ${spread(searching)} times as much`)
  return median(ratios)
}
