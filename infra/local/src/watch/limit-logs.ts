import { copyFile, readdir, rm, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'

const LARGEST = 10 * 1024 * 1024

/**
 * Keeps each log of the folder below about 10 MB, and one older part of it as `NAME.log.1`. Processes hold their file open to
 * append, so it is copied and emptied; when there is no room for the copy, the older part goes.
 */
export async function limitLogs(dir: string, largest = LARGEST): Promise<void> {
  for (const name of await readdir(dir)) {
    if (!name.endsWith('.log')) continue
    const file = join(dir, name)
    if ((await stat(file)).size <= largest) continue
    await copyFile(file, `${file}.1`).catch(() => rm(`${file}.1`, { force: true }))
    await truncate(file)
  }
}
