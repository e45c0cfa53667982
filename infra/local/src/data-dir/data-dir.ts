import { chmod, mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Print } from '../print.ts'
import { StartError } from '../start-error.ts'

/** Paths of everything in a data folder. */
export interface DataDir {
  readonly dir: string
  readonly endpoints: string
  readonly secrets: string
  readonly lock: string
  readonly postgres: string
  readonly nats: string
  /** The teams that read events, with their passwords. */
  readonly teams: string
  readonly index: string
  readonly logs: string
  log(name: string): string
}

export function dataDir(dir: string): DataDir {
  const logs = join(dir, 'logs')
  return {
    dir,
    endpoints: join(dir, 'endpoints.json'),
    secrets: join(dir, 'secrets.json'),
    lock: join(dir, 'lock'),
    postgres: join(dir, 'postgres'),
    nats: join(dir, 'nats'),
    teams: join(dir, 'teams.json'),
    index: join(dir, 'index'),
    logs,
    log: (name) => join(logs, `${name}.log`),
  }
}

/** The names that we create in a data folder. `--reset` erases these and nothing else. */
const OWN = new Set([
  'endpoints.json',
  'endpoints.json.new',
  'secrets.json',
  'secrets.json.new',
  'postgres',
  'postgres.new',
  'nats',
  'teams.json',
  'teams.json.new',
  'index',
  'logs',
])

/** Whether a start makes a file or folder of this name in a data folder. */
export const isOwn = (name: string): boolean => OWN.has(name) || name.startsWith('lock')

/** Makes the folder, and takes it away from other users of the machine if it stood open to them. */
export async function prepareDataDir({ dir }: DataDir): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 }).catch((cause: unknown) => {
    throw new StartError(`The data folder ${dir} cannot be made: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    })
  })
  await chmod(dir, 0o700).catch((cause: unknown) => {
    throw new StartError(
      `The data folder ${dir} cannot be closed to other users (chmod 700). Make it yours, or give another one.`,
      { cause },
    )
  })
}

/** Erases everything that we created in it. The caller must hold the lock. */
export async function resetDataDir({ dir }: DataDir, print: Print): Promise<void> {
  await Promise.all([...OWN].map((name) => rm(join(dir, name), { recursive: true, force: true })))
  print(`Erased the data in ${dir}`)
}
