import { mkdtemp, readdir, rmdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { foreignMajor, POSTGRES_MAJOR } from '@youworker/embedded/postgres'
import { StartError } from '../start-error.ts'
import { type DataDir, isOwn } from './data-dir.ts'
import { findSecrets } from './secrets.ts'

interface Use {
  /** It is going to be erased. */
  readonly reset: boolean
  /** The user has a Postgres, so that the one in the folder is not used. */
  readonly hasDatabase: boolean
}

/** What keeps a start from using the folder, and what to do about it. Changes nothing. */
export async function dataDirFaults(data: DataDir, { reset, hasDatabase }: Use): Promise<string[]> {
  const { dir } = data
  const fault = await folderFault(dir)
  if (fault !== undefined) return [`the data folder: ${fault}; name another one with --data DIR`]
  const names = (await exists(dir)) ? await readdir(dir) : []
  if (names.length > 0 && !names.some(isOwn))
    return [`${dir} is not empty and is no data folder of YouWorker; name an empty or new folder with --data DIR`]
  if (reset) return []
  const hasCluster = !hasDatabase && (await exists(`${data.postgres}/PG_VERSION`))
  const major = hasCluster ? await foreignMajor(data.postgres) : undefined
  if (major !== undefined) return [foreignCluster(data, major)]
  try {
    const hasSecrets = (await findSecrets(data.secrets)) !== undefined
    return hasCluster && !hasSecrets ? [lostSecrets(data)] : []
  } catch (error) {
    if (error instanceof StartError) return [error.message]
    throw error
  }
}

const foreignCluster = ({ postgres }: DataDir, major: string): string =>
  `${postgres} is a database of Postgres ${major}, and this version brings Postgres ${POSTGRES_MAJOR}: start it with the version of YouWorker that made it and dump it, then restore the dump here (docs/operations.md, Backup and restore); or run Postgres ${major} on it and set DATABASE__ADMIN_URL`

const lostSecrets = ({ secrets }: DataDir): string =>
  `${secrets} is missing, and it holds the keys of the database beside it: put it back from your backup; without it nobody can read the data, and --reset erases all of it`

/** Why a folder cannot be made, or written if it is there. */
export async function folderFault(dir: string): Promise<string | undefined> {
  let nearest = dir
  while (!(await exists(nearest)) && dirname(nearest) !== nearest) nearest = dirname(nearest)
  const isFolder = await stat(nearest).then((found) => found.isDirectory())
  const why = isFolder ? await denial(nearest) : 'is a file'
  if (why === undefined) return undefined
  return nearest === dir ? `${dir} ${why}` : `${dir} cannot be made, because ${nearest} ${why}`
}

/** Tries it: what a mode promises is not kept by a read-only disk, and root may do what the mode forbids. */
async function denial(dir: string): Promise<string | undefined> {
  try {
    await readdir(dir)
    await rmdir(await mkdtemp(join(dir, '.youworker-')))
    return undefined
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    return WHY[code] ?? `cannot be written (${code})`
  }
}

const WHY: Readonly<Record<string, string>> = {
  EROFS: 'is on a read-only disk',
  EACCES: 'may not be written by this user',
  EPERM: 'may not be written by this user',
  ENOSPC: 'is on a full disk',
}

export const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )
