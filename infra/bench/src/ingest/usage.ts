import { readFile, writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'

/** Postgres counts a commit up to a second after it. */
export const COUNTED_MS = 2_500

export async function commitsOf(database: pg.Client): Promise<number> {
  const { rows } = await database.query('select xact_commit from pg_stat_database where datname = current_database()')
  return Number(rows[0].xact_commit)
}

/** For one second in which nothing is asked. */
export async function idleCommits(database: pg.Client): Promise<number> {
  const before = await commitsOf(database)
  await sleep(2 * COUNTED_MS)
  return ((await commitsOf(database)) - before) / ((2 * COUNTED_MS) / 1_000)
}

/** proc(5): utime and stime, fields 14 and 15 of stat, in hundredths of a second. */
export async function ownCpuMs(pid: number | undefined): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}

/** proc(5): 5 resets the peak resident size. */
export const resetPeak = (pid: number | undefined): Promise<void> => writeFile(`/proc/${pid}/clear_refs`, '5')

export async function peakMb(pid: number | undefined): Promise<number> {
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1_024
}
