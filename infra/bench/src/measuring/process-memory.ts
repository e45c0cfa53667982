import { readFile } from 'node:fs/promises'
import type { Processes } from './process-cpu.ts'

/** Bytes of each process, where memory that several share is divided among them (PSS). Linux only. */
export const sharedBytes = (processes: Processes): Promise<Map<string, number>> => read(processes, /^Pss:\s+(\d+) kB/m)

/** Bytes that only each process itself uses. Linux only. */
export const privateBytes = (processes: Processes): Promise<Map<string, number>> => read(processes, /^Private_Dirty:\s+(\d+) kB/m)

async function read(processes: Processes, field: RegExp): Promise<Map<string, number>> {
  const sizes = processes.map(async ({ name, pid }) => {
    const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8')
    return [name, Number(field.exec(rollup)?.[1]) * 1_024] as const
  })
  return new Map(await Promise.all(sizes))
}
