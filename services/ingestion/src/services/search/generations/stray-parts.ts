import type { Difference } from '@youworker/contracts/documents/index-check'
import type { IngestionUnitOfWork } from '../../../unit-of-work.ts'
import type { Generations } from './generations.ts'
import type { IndexAdapters } from './index-adapter.ts'

interface StrayOptions {
  readonly uow: IngestionUnitOfWork
  readonly adapters: IndexAdapters
  readonly generations: Generations
  readonly repair: boolean
}

/** So many are named one by one. */
const MOST_NAMED = 200

/** What is there of spaces and of indexes that Postgres does not know, as after a restored backup. It is erased with `repair`. */
export async function strayParts(options: StrayOptions): Promise<Difference[]> {
  return [...(await straySpaces(options)), ...(await strayIndexes(options))]
}

async function straySpaces({ uow, generations, repair }: StrayOptions): Promise<Difference[]> {
  const strays = new Set<string>()
  // Read first: a part is made only for a space that is known.
  for (const { spaces, drop } of await generations.parts()) {
    const known = new Set(await uow.system().read(({ checks }) => checks.known(spaces)))
    for (const space of spaces) {
      if (known.has(space)) continue
      strays.add(space)
      if (repair) await drop(space)
    }
  }
  const [named, others] = [[...strays].slice(0, MOST_NAMED), strays.size - MOST_NAMED]
  const difference = { kind: 'unknown_spaces', repaired: repair } as const
  const found: Difference[] = named.map((space_id) => ({ ...difference, space_id, count: 1 }))
  return others > 0 ? [...found, { ...difference, space_id: null, count: others }] : found
}

async function strayIndexes({ uow, adapters, repair }: StrayOptions): Promise<Difference[]> {
  let count = 0
  for (const [name, adapter] of Object.entries(adapters)) {
    const numbers = await adapter.numbers()
    const kept = await uow.system().read((repos) => repos.generations.kept())
    for (const number of numbers) {
      if (kept.some((row) => row.adapter === name && row.number === number)) continue
      count += 1
      if (repair) await adapter.eraseNumber(number)
    }
  }
  return count === 0 ? [] : [{ space_id: null, kind: 'unknown_indexes', count, repaired: repair }]
}
