import { execFile } from 'node:child_process'
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { z } from 'zod'
import { StartError } from './settings/start-error.ts'

/** Who holds a data folder, and where its supervisor listens for `status`, `restart` and `stop`. */
const Holder = z.object({
  pid: z.number().int(),
  /** When the process began, as the system says it: tells it from a later one with the same number. */
  began: z.string(),
  control: z.object({ port: z.number().int(), token: z.string() }),
})
export type Holder = z.infer<typeof Holder>

export interface Lock extends AsyncDisposable {
  readonly file: string
}

/** Takes the data folder for this process. Throws {@link StartError} when a living process has it. */
export async function takeLock(file: string, control: Holder['control']): Promise<Lock> {
  const mine = JSON.stringify({ pid: process.pid, began: await beganAt(process.pid), control } satisfies Holder)
  const draft = `${file}.${process.pid}`
  await writeFile(draft, mine, { mode: 0o600 })
  try {
    // A link either makes the name or fails: two starts at once cannot both have it.
    for (
      let tries = 0;
      !(await link(draft, file).then(
        () => true,
        () => false,
      ));
      tries++
    ) {
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

/** The living holder of a lock, if any. */
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

/** Moves a dead holder's lock away; puts it back when a living one came in between. */
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
    // Field 22 of proc(5) stat; the second field may hold blanks, but ends with the last parenthesis. Z and X are dead.
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
