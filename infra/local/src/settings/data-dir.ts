import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { DataDir } from './paths.ts'
import type { Print } from '../print.ts'
import { StartError } from './start-error.ts'

/** What a data folder of ours holds; anything else in it is somebody's own and not touched. */
const OWN = new Set([
  'endpoints.json',
  'endpoints.json.new',
  'secrets.json',
  'secrets.json.new',
  'postgres',
  'postgres.new',
  'nats',
  'index',
  'logs',
])

/** Makes the folder. Refuses one that holds other things: a typing error must not spread files over somebody's home. */
export async function prepareDataDir({ dir }: DataDir): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 }).catch((cause: unknown) => {
    throw new StartError(`The data folder ${dir} cannot be made: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    })
  })
  const names = await readdir(dir)
  if (names.length > 0 && !names.some((name) => OWN.has(name) || name.startsWith('lock'))) {
    throw new StartError(`${dir} is not empty and is no data folder of YouWorker. Give an empty or new folder with --data DIR.`)
  }
}

/** Erases everything of ours in it. The caller holds the lock. */
export async function resetDataDir({ dir }: DataDir, print: Print): Promise<void> {
  await Promise.all([...OWN].map((name) => rm(join(dir, name), { recursive: true, force: true })))
  print(`Erased the data in ${dir}`)
}
