import { readdir } from 'node:fs/promises'

/** The file of a space, and those that SQLite puts beside it. */
const FILE = /^([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\.sqlite(-wal|-shm)?$/

/** Empty without the folder. */
export const namesIn = (dir: string): Promise<string[]> =>
  readdir(dir).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  })

export const filesOf = async (dir: string): Promise<string[]> => (await namesIn(dir)).filter((name) => FILE.test(name))

/** The spaces of which there is a file. */
export async function spacesIn(dir: string): Promise<string[]> {
  const found = (await namesIn(dir)).flatMap((name) => FILE.exec(name)?.[1] ?? [])
  return [...new Set(found)]
}
