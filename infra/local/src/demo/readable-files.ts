import { open, stat } from 'node:fs/promises'
import type { GivenFile } from './collect-files.ts'

export interface ReadableFiles {
  readonly files: readonly GivenFile[]
  /** A line for each file that cannot be read. */
  readonly failures: readonly string[]
}

/** Tries to read each file: its mode says nothing to root, and nothing about a bad disk. */
export async function readableFiles(files: readonly GivenFile[]): Promise<ReadableFiles> {
  const readable: GivenFile[] = []
  const failures: string[] = []
  for (const file of files) {
    const why = await whyUnreadable(file.path)
    if (why === undefined) readable.push(file)
    else failures.push(`${file.name}: ${why}`)
  }
  return { files: readable, failures }
}

async function whyUnreadable(path: string): Promise<string | undefined> {
  try {
    // A pipe would make the start wait for a writer.
    const found = await stat(path)
    if (!found.isFile() && !found.isDirectory()) return 'is no regular file'
    await using handle = await open(path)
    await handle.read({ buffer: Buffer.alloc(1), position: 0 })
    return undefined
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    if (code === 'EACCES' || code === 'EPERM') return 'may not be read by this user'
    return `cannot be read (${code})`
  }
}
