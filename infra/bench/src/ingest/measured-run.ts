import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import type { ApiUser } from '../api-user.ts'
import { type Cost, cpuOf, measure, perSecond } from '../measuring/measure.ts'
import type { Endpoints } from '../system.ts'
import { ingestAll } from './ingest-all.ts'
import type { Files } from './sample-files.ts'
import { commitsOf, COUNTED_MS, idleCommits, ownCpuMs, peakMb, resetPeak } from './usage.ts'

export interface Measured {
  readonly cost: Cost
  /** Of ingestion, without the children that read: CPU in ms for one file. */
  readonly itselfMs: number
  readonly chunks: number
  readonly commits: number
  readonly peakMb: number
}

/** Ingests files as those of a new user, and measures everything from the first byte of the upload until the last can be found. */
export async function measuredRuns(
  { processes }: Endpoints,
  database: pg.Client,
  root: ApiUser,
): Promise<(files: Files) => Promise<Measured>> {
  const ours = processes.filter(({ name }) => name !== 'offline-model')
  const pid = ours.find(({ name }) => name.startsWith('ingestion'))?.pid
  const idle = await idleCommits(database)
  return async (files) => {
    const user = await root.addUser(`user-${crypto.randomUUID().slice(0, 8)}`)
    await resetPeak(pid)
    const [before, itself] = [await commitsOf(database), await ownCpuMs(pid)]
    let chunks = 0
    const cost = await measure(ours, async () => {
      chunks = await ingestAll(user, files)
      return files.size
    })
    const itselfMs = ((await ownCpuMs(pid)) - itself) / files.size
    await sleep(COUNTED_MS)
    const commits = (await commitsOf(database)) - before - idle * (cost.seconds + COUNTED_MS / 1_000)
    return { cost, itselfMs, chunks, commits, peakMb: await peakMb(pid) }
  }
}

export function print(what: string, { cost, itselfMs, chunks, commits, peakMb: peak }: Measured, bare: number): void {
  const [files, all] = [cost.units, cpuOf(cost)]
  console.log(
    `${what}: ${perSecond(cost).toFixed(1)} files/s, ${all.toFixed(1)} ms CPU for one file (${((all * files) / chunks).toFixed(2)} for a chunk; ` +
      `parse and embed alone ${bare.toFixed(1)}; ingestion without its readers ${itselfMs.toFixed(1)}), ${(commits / files).toFixed(1)} commits for one, ${chunks} chunks, ingestion at most ${peak.toFixed(0)} MB`,
  )
}
