import { cpuSeconds, type Processes } from './process-cpu.ts'
import { rounds } from './effort.ts'
import { median } from './load.ts'
import { profiled } from './profile.ts'

/** What units of work (answers, tokens, requests) have cost. */
export interface Cost {
  readonly units: number
  readonly seconds: number
  /** Milliseconds of CPU for one unit, by process. */
  readonly cpu: ReadonlyMap<string, number>
}

/** `work` resolves to the number of units that it has done. */
export async function measure(processes: Processes, work: () => Promise<number>): Promise<Cost> {
  const before = await cpuSeconds(processes)
  const started = performance.now()
  const units = await profiled(processes, work)
  const seconds = (performance.now() - started) / 1_000
  const after = await cpuSeconds(processes)
  const cpu = new Map([...after].map(([name, used]) => [name, ((used - (before.get(name) ?? 0)) * 1_000) / units]))
  return { units, seconds, cpu }
}

/** Milliseconds of CPU for one unit, over all processes. */
export const cpuOf = ({ cpu }: Cost): number => [...cpu.values()].reduce((sum, ms) => sum + ms, 0)

/** The results of three rounds. */
export async function repeated(work: () => Promise<number>): Promise<number[]> {
  const all: number[] = []
  for (let round = rounds(3); round > 0; round -= 1) all.push(await work())
  return all
}

export const perSecond = ({ units, seconds }: Cost): number => units / seconds

/** Median and range, as `1.04 (0.98 to 1.10)`. */
export function spread(values: readonly number[], digits = 2): string {
  const [middle, least, most] = [median(values), Math.min(...values), Math.max(...values)].map((value) => value.toFixed(digits))
  return `${middle} (${least} to ${most})`
}

/** Where the CPU of a unit goes: the median of the rounds for each process. */
export function printByProcess(costs: readonly Cost[], unit: string): void {
  const names = [...(costs[0]?.cpu.keys() ?? [])]
  const of = (name: string) => median(costs.map(({ cpu }) => (cpu.get(name) ?? 0) * 1_000)).toFixed(0)
  console.log(
    `us CPU for one ${unit}: ${spread(
      costs.map((cost) => cpuOf(cost) * 1_000),
      0,
    )}`,
  )
  console.log(`  ${names.map((name) => `${name} ${of(name)}`).join(', ')}`)
}
