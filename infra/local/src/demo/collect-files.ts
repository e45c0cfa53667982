import { readdir, stat } from 'node:fs/promises'
import { basename, extname, isAbsolute, join, relative } from 'node:path'
import { mimeOfExtension, READABLE_KINDS } from '@youworker/contracts/file-types'
import { counted } from '../print.ts'
import { StartError } from '../start-error.ts'

const SKIPPED_FOLDERS = new Set(['node_modules'])

export interface GivenFile {
  readonly path: string
  /** Name of the upload: the path relative to the caller's folder, or the base name of a file outside it. */
  readonly name: string
}

export interface CollectedFiles {
  readonly files: readonly GivenFile[]
  /** Count of files in given folders whose type is not supported. */
  readonly skipped: number
}

/** Says why files of given folders were not taken. */
export const leftOut = (skipped: number): string => `${counted(skipped, 'file')} left out: only ${READABLE_KINDS} are read`

/** Takes each given file whatever its type, and of each folder the files of a supported type. Throws {@link StartError} for a missing path. */
export async function collectFiles(paths: readonly string[], cwd: string): Promise<CollectedFiles> {
  const found = new Set<string>()
  let skipped = 0
  for (const path of paths) {
    const info = await stat(path).catch((cause: Error & { code?: string }) => {
      const why = cause.code === 'ENOENT' ? 'does not exist' : `cannot be read (${cause.code})`
      throw new StartError(`${shown(path, cwd)} ${why}.`, { cause })
    })
    if (!info.isDirectory()) {
      found.add(path)
      continue
    }
    const before = found.size
    const closed = new Set<string>()
    for await (const file of walk(path, closed)) {
      if (mimeOfExtension(extname(file))) found.add(file)
      else skipped++
    }
    // As if it were a file: it fails with its name, and the others are read.
    for (const folder of closed) found.add(folder)
    if (found.size === before) throw new StartError(`${shown(path, cwd)} holds no file that can be read: ${READABLE_KINDS}.`)
  }
  return { files: named([...found], cwd), skipped }
}

/** Skips hidden files and folders, node_modules and symbolic links. Adds folders that may not be read to `closed`. */
async function* walk(folder: string, closed: Set<string>): AsyncGenerator<string> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => undefined)
  if (!entries) return void closed.add(folder)
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.name.startsWith('.') || SKIPPED_FOLDERS.has(entry.name)) continue
    const path = join(folder, entry.name)
    if (entry.isDirectory()) yield* walk(path, closed)
    else if (entry.isFile()) yield path
  }
}

function named(paths: readonly string[], cwd: string): GivenFile[] {
  const short = (path: string) => (isBelow(path, cwd) ? relative(cwd, path) : basename(path))
  const counts = Map.groupBy(paths, short)
  // The same name uploaded twice would be two versions of one document, so files that share a name get their full paths.
  return paths.map((path) => ({ path, name: counts.get(short(path))?.length === 1 ? short(path) : path.replace(/^\/+/, '') }))
}

function isBelow(path: string, folder: string): boolean {
  const way = relative(folder, path)
  return way !== '' && !way.startsWith('..') && !isAbsolute(way)
}

const shown = (path: string, cwd: string): string => (isBelow(path, cwd) ? relative(cwd, path) : path)
