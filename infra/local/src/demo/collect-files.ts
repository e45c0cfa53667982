import { readdir, stat } from 'node:fs/promises'
import { basename, extname, isAbsolute, join, relative } from 'node:path'
import { FILE_EXTENSIONS, mimeOfExtension } from '@youworker/contracts/file-types'
import { StartError } from '../settings/start-error.ts'

const SKIPPED_FOLDERS = new Set(['node_modules'])

export interface GivenFile {
  readonly path: string
  /** The name it is uploaded under: its path below the caller's folder, or its own name. */
  readonly name: string
}

export interface CollectedFiles {
  readonly files: readonly GivenFile[]
  /** Files of given folders that cannot be read. */
  readonly skipped: number
}

/** A file named by the user is taken as it is; of a folder, the files that can be read. Throws {@link StartError} for what does not exist. */
export async function collectFiles(paths: readonly string[], cwd: string, { mayBeEmpty = false } = {}): Promise<CollectedFiles> {
  const found = new Set<string>()
  let skipped = 0
  for (const path of paths) {
    const info = await stat(path).catch((cause: unknown) => {
      throw new StartError(`${shown(path, cwd)} does not exist.`, { cause })
    })
    if (!info.isDirectory()) {
      found.add(path)
      continue
    }
    const before = found.size
    for await (const file of walk(path)) {
      if (mimeOfExtension(extname(file))) found.add(file)
      else skipped++
    }
    if (found.size === before && !mayBeEmpty)
      throw new StartError(`${shown(path, cwd)} holds no file that can be read (${FILE_EXTENSIONS.join(' ')}).`)
  }
  return { files: named([...found], cwd), skipped }
}

/** Hidden files and folders, node_modules and links are left out. */
async function* walk(folder: string): AsyncGenerator<string> {
  const entries = await readdir(folder, { withFileTypes: true })
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.name.startsWith('.') || SKIPPED_FOLDERS.has(entry.name)) continue
    const path = join(folder, entry.name)
    if (entry.isDirectory()) yield* walk(path)
    else if (entry.isFile()) yield path
  }
}

function named(paths: readonly string[], cwd: string): GivenFile[] {
  const short = (path: string) => (isBelow(path, cwd) ? relative(cwd, path) : basename(path))
  const counts = Map.groupBy(paths, short)
  // Two files of one name would be taken for two versions of one document.
  return paths.map((path) => ({ path, name: counts.get(short(path))?.length === 1 ? short(path) : path.replace(/^\/+/, '') }))
}

function isBelow(path: string, folder: string): boolean {
  const way = relative(folder, path)
  return way !== '' && !way.startsWith('..') && !isAbsolute(way)
}

const shown = (path: string, cwd: string): string => (isBelow(path, cwd) ? relative(cwd, path) : path)
