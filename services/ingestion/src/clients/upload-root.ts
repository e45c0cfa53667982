import { constants, type Dirent } from 'node:fs'
import { type FileHandle, open, readdir, readlink, realpath, stat } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import { AppError } from '@youworker/contracts/errors'
import type { ServerFile, ServerFiles } from '../services/sources/server-files.ts'

/** Hidden ones and these are left out. */
const SKIPPED_FOLDERS = new Set(['node_modules'])
const PART = 256 * 1024
const NO_FOLLOW = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
const HANDLES = '/proc/self/fd'

/**
 * Files below one folder. A path is opened first, and only then is asked where what was opened stands: a link or a folder that is
 * exchanged meanwhile leads to another answer, never to another file.
 */
export function uploadRoot(root: string | undefined): ServerFiles {
  const folder = async () => {
    if (root === undefined)
      throw new AppError(
        'VALIDATION_ERROR',
        'No path of this server is open: its operator sets INGEST__UPLOAD_ROOT to the folder that is',
      )
    return realpath(root).catch((cause: unknown) => {
      throw new AppError('VALIDATION_ERROR', 'The folder of INGEST__UPLOAD_ROOT cannot be read', { cause })
    })
  }
  return {
    async list(path, most) {
      const base = await folder()
      const found: string[] = []
      await walk({ base, found, most }, inside(base, path))
      return found
    },
    async isFolder(path) {
      const base = await folder()
      await using opened = await openBelow(base, inside(base, path))
      return (await opened.handle.stat()).isDirectory()
    },
    async open(path): Promise<ServerFile> {
      const base = await folder()
      const opened = await openBelow(base, inside(base, path))
      try {
        const info = await opened.handle.stat()
        if (!info.isFile()) throw new AppError('VALIDATION_ERROR', `${path} is no file`)
        return { size: info.size, parts: partsOf(opened.handle), [Symbol.asyncDispose]: () => opened.handle.close() }
      } catch (error) {
        await opened.handle.close()
        throw error
      }
    },
  }
}

/** The path relative to the root. An absolute one has to be below it. */
function inside(base: string, path: string): string {
  const way = relative(base, path.startsWith(sep) ? path : join(base, path))
  if (path.includes('\0') || way === '..' || way.startsWith(`..${sep}`)) throw outside(path)
  return way
}

async function openBelow(base: string, way: string): Promise<{ handle: FileHandle } & AsyncDisposable> {
  const path = join(base, way)
  const handle = await open(path, NO_FOLLOW).catch((cause: Error & { code?: string }) => {
    if (cause.code === 'ELOOP') throw outside(way)
    const why = cause.code === 'ENOENT' || cause.code === 'ENOTDIR' ? 'does not exist' : 'cannot be read'
    throw new AppError('VALIDATION_ERROR', `${way} ${why} in the folder of INGEST__UPLOAD_ROOT`, { cause })
  })
  try {
    if ((await whereIs(handle, path)) !== path) throw outside(way)
  } catch (error) {
    await handle.close()
    throw error
  }
  return { handle, [Symbol.asyncDispose]: () => handle.close() }
}

/** Where the opened file stands. Where a system does not say, whether the path leads to it without a link. */
async function whereIs(handle: FileHandle, path: string): Promise<string | undefined> {
  const told = await readlink(`${HANDLES}/${handle.fd}`).catch(() => undefined)
  if (told !== undefined) return told
  const [real, there, opened] = await Promise.all([realpath(path), stat(path), handle.stat()])
  return there.ino === opened.ino && there.dev === opened.dev ? real : undefined
}

/** Depth first, in the order of names. */
async function walk(into: { base: string; found: string[]; most: number }, way: string): Promise<void> {
  for (const entry of await entriesOf(into.base, way)) {
    if (entry.name.startsWith('.') || SKIPPED_FOLDERS.has(entry.name)) continue
    const next = way === '' ? entry.name : join(way, entry.name)
    if (entry.isDirectory()) await walk(into, next)
    else if (entry.isFile()) {
      if (into.found.length >= into.most)
        throw new AppError(
          'VALIDATION_ERROR',
          `This folder has more than ${into.most} files; send its subfolders one after the other`,
        )
      into.found.push(next)
    }
  }
}

/** Of the folder that was opened and checked, not of whatever has its name by now. */
async function entriesOf(base: string, way: string): Promise<Dirent[]> {
  await using opened = await openBelow(base, way)
  const byHandle = `${HANDLES}/${opened.handle.fd}`
  const hasHandles = await stat(HANDLES).catch(() => undefined)
  const entries = await readdir(hasHandles ? byHandle : join(base, way), { withFileTypes: true })
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1))
}

async function* partsOf(handle: FileHandle): AsyncGenerator<Uint8Array> {
  for (;;) {
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(PART), 0, PART)
    if (bytesRead === 0) return
    yield buffer.subarray(0, bytesRead)
  }
}

const outside = (path: string) =>
  new AppError(
    'VALIDATION_ERROR',
    `${path} does not stand in the folder of INGEST__UPLOAD_ROOT, or a link leads to it; name the file itself`,
  )
