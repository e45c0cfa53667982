import { readFile } from 'node:fs/promises'

/** Zeros where the system does not report it. proc(5): statm counts pages; utime and stime, fields 14 and 15 of stat, hundredths of a second. */
export async function usageOf(pid: number | undefined): Promise<{ residentBytes: number; cpuMs: number }> {
  const [statm, stat] = await Promise.all(
    ['statm', 'stat'].map((name) => readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => '')),
  )
  // The name of the command, field 2, is in brackets and may hold blanks.
  const [, , , , , , , , , , , utime, stime] = stat?.slice(stat.lastIndexOf(')') + 1).split(' ') ?? []
  return { residentBytes: Number(statm?.split(' ')[1] ?? 0) * 4_096, cpuMs: (Number(utime ?? 0) + Number(stime ?? 0)) * 10 }
}
