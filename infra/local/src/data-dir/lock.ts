import { randomUUID } from 'node:crypto'
import { execFile } from 'node:child_process'
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { z } from 'zod'
import { StartError } from '../start-error.ts'

/** Content of the lock file: the process that uses the data folder, and the port and token of its control server. */
const Holder = z.object({
  pid: z.number().int(),
  /** Start time of the process as the operating system reports it: a later process may get the same pid. */
  began: z.string(),
  control: z.object({ port: z.number().int(), token: z.string() }),
})
export type Holder = z.infer<typeof Holder>

export interface Lock extends AsyncDisposable {
  readonly file: string
}

/** Locks the data folder for this process. Throws {@link StartError} when a living process holds the lock. */
export async function takeLock(file: string, control: Holder['control']): Promise<Lock> {
  const mine = JSON.stringify({ pid: process.pid, began: await beganAt(process.pid), control } satisfies Holder)
  // The draft's name is unique: a second writer of the same file would truncate a lock that is already linked to it.
  const draft = `${file}.${randomUUID()}`
  await writeFile(draft, mine, { mode: 0o600 })
  try {
    for (let tries = 0; !(await createLink(draft, file)); tries++) {
      const holder = await readHolder(file)
      if (holder || tries > 20) throw new StartError(inUse(holder))
      await dropStale(file, draft)
    }
  } finally {
    await rm(draft, { force: true })
  }
  return {
    file,
    async [Symbol.asyncDispose]() {
      if ((await readFile(file, 'utf8').catch(() => '')) === mine) await rm(file, { force: true })
    },
  }
}

/** Returns whether it created the link. link(2) fails when the file exists, so of two simultaneous starts only one gets the lock. */
const createLink = (from: string, to: string): Promise<boolean> =>
  link(from, to).then(
    () => true,
    () => false,
  )

/** The process that holds the lock, `undefined` when there is no lock or its process is dead. */
export async function readHolder(file: string): Promise<Holder | undefined> {
  const text = await readFile(file, 'utf8').catch(() => '')
  return parseHolder(text)
}

async function parseHolder(text: string): Promise<Holder | undefined> {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return undefined
  }
  const holder = Holder.safeParse(json)
  if (!holder.success) return undefined
  const began = await beganAt(holder.data.pid)
  return began !== '' && began === holder.data.began ? holder.data : undefined
}

/** Removes the lock of a dead process. Puts it back when a living process took it after we last read it. */
async function dropStale(file: string, draft: string): Promise<void> {
  const aside = `${draft}.stale`
  await rename(file, aside).catch(() => {})
  const text = await readFile(aside, 'utf8').catch(() => '')
  if (await parseHolder(text)) await link(aside, file).catch(() => {})
  await rm(aside, { force: true })
}

async function beganAt(pid: number): Promise<string> {
  if (process.platform === 'linux') {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
    // proc(5) stat: field 22 is the start time, field 3 the state (Z and X are dead). Field 2 may hold blanks and ends with the last
    // parenthesis, so we count from there.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return /[ZX]/.test(fields[0] ?? '') ? '' : (fields[19] ?? '')
  }
  return promisify(execFile)('ps', ['-p', String(pid), '-o', 'lstart=']).then(
    ({ stdout }) => stdout.trim(),
    () => '',
  )
}

function inUse(holder: Holder | undefined): string {
  return `YouWorker already runs with this data folder${holder ? ` (process ${holder.pid})` : ''}. Stop it with npm start -- stop, or use another folder with --data DIR.`
}
