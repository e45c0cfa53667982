import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { forTerminal } from '@youworker/runtime/text/text'
import { z } from 'zod'
import { SYSTEM_OPTIONS, SystemApi } from './system-api.ts'

const Generation = z.object({
  number: z.number(),
  adapter: z.string(),
  embed_model: z.string(),
  state: z.string(),
  progress: z.object({ current: z.number(), total: z.number(), stage: z.string().nullable() }).optional(),
  problem: z.string().optional(),
})
const Status = z.object({ generations: z.array(Generation) })
type Generation = z.output<typeof Generation>

const LOOK_MS = 1_000
const PATH = '/v1/admin/index'

/** Prints the search indexes that there are. */
export async function showIndex(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...args], options: SYSTEM_OPTIONS })
  const system = await SystemApi.open(values, process.env)
  for (const one of await read(system)) if (one.state !== 'erased') console.log(forTerminal(described(one)))
}

/** Moves the search index while searches go on, and prints how far it is. Ended early, the move goes on. */
export async function migrateIndex(args: readonly string[]): Promise<void> {
  const options = { ...SYSTEM_OPTIONS, to: { type: 'string' }, cancel: { type: 'boolean', default: false } } as const
  const { values } = parseArgs({ args: [...args], options })
  if ((values.to === undefined) !== values.cancel || (values.to !== undefined && !['qdrant', 'embedded'].includes(values.to)))
    throw new Error('index migrate takes --to qdrant, --to embedded or --cancel')
  const system = await SystemApi.open(values, process.env)
  if (values.cancel) {
    await system.call('POST', `${PATH}/cancel`, {})
    return console.log('The index that was being made is dropped; searches go on in the present one.')
  }
  const { generations } = Status.parse(await system.call('POST', `${PATH}/migrate`, { to: values.to }))
  const building = generations.find(({ state }) => state === 'building')
  if (!building) throw new Error('No index is being made; see index status')
  console.log(
    `Index ${building.number} is being made; searches go on. Ctrl+C ends this display only; to drop it: index migrate --cancel`,
  )
  await follow(system, building.number)
}

async function follow(system: SystemApi, number: number): Promise<void> {
  for (let last = ''; ;) {
    const own = (await read(system)).find((one) => one.number === number)
    const line = own ? described(own) : ''
    if (line !== last) console.log(forTerminal(line))
    last = line
    if (own?.state === 'active') return console.log('Searches use it from now on. The one before is erased in half a minute.')
    if (own?.state !== 'building') throw new Error('It was cancelled; searches go on in the one before')
    await sleep(LOOK_MS)
  }
}

async function read(system: SystemApi): Promise<readonly Generation[]> {
  return Status.parse(await system.call('GET', PATH)).generations
}

function described({ number, adapter, embed_model, state, progress, problem }: Generation): string {
  const far =
    progress && progress.total > 0 ? `, ${progress.stage ?? 'waiting'}: ${progress.current} of ${progress.total} passages` : ''
  return `index ${number} (${adapter}, ${embed_model}): ${state}${far}${problem === undefined ? '' : `; ${problem}`}`
}
