import { readdir, readFile } from 'node:fs/promises'

/** Ticks per second of the times in proc(5), on every Linux that Node runs on. */
const TICKS = 100

export type Processes = readonly { readonly name: string; readonly pid: number }[]

interface Entry {
  readonly pid: number
  readonly parent: number
  readonly seconds: number
}

/** CPU seconds that each process has used so far with its children, those that have ended among them. Linux only. */
export async function cpuSeconds(processes: Processes): Promise<Map<string, number>> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const entries = (await Promise.all(pids.map(readEntry))).filter((entry) => entry !== undefined)
  const treeSeconds = (pid: number): number =>
    entries
      .filter((entry) => entry.parent === pid)
      .reduce((sum, child) => sum + treeSeconds(child.pid), entries.find((entry) => entry.pid === pid)?.seconds ?? 0)
  return new Map(processes.map(({ name, pid }) => [name, treeSeconds(pid)]))
}

/** proc(5): after the name in brackets, the parent is field 2, and the times (own and of ended children) are fields 12 to 15. */
async function readEntry(pid: string): Promise<Entry | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  if (stat === undefined) return undefined
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0)
  return { pid: Number(pid), parent: Number(fields[1]), seconds: ticks / TICKS }
}
