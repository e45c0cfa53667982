import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import type { DataDir } from '../settings/paths.ts'
import { StartError } from '../settings/start-error.ts'
import type { SupervisedProcess } from './supervised-process.ts'

const LONGEST_MS = 90_000
/** The exit code of a process whose settings are wrong: another try would end the same. */
const WRONG_SETTINGS = 2
const TRIES = 3

export async function isReady(url: string, timeoutMs = 1_000): Promise<boolean> {
  return fetch(url, { signal: AbortSignal.timeout(timeoutMs) }).then(
    async (response) => {
      await response.body?.cancel()
      return response.status === 200
    },
    () => false,
  )
}

/** Throws {@link StartError} with the last lines of its log when the process does not come up. */
export async function waitUntilReady(process: SupervisedProcess, data: DataDir, signal: AbortSignal): Promise<void> {
  const { name, healthUrl } = process.spec
  if (healthUrl === undefined) return
  const until = Date.now() + LONGEST_MS
  while (!(await isReady(healthUrl))) {
    signal.throwIfAborted()
    const isHopeless = process.lastExit?.code === WRONG_SETTINGS || process.deaths >= TRIES
    if (isHopeless || Date.now() > until) {
      const state = isHopeless ? 'does not start' : `was not ready after ${LONGEST_MS / 1000} s: ${await reasons(healthUrl)}`
      throw new StartError(`${name} ${state}. The end of ${data.log(name)}:\n${await tail(data.log(name))}`)
    }
    await sleep(50, undefined, { signal })
  }
}

async function reasons(url: string): Promise<string> {
  return fetch(url, { signal: AbortSignal.timeout(3_000) }).then(
    (response) => response.text(),
    () => 'no answer',
  )
}

async function tail(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch(() => '')
  // The frames of a stack name our own files; the message above them is what helps.
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('    at '))
  // Each try says the same again.
  const said = new Set(lines.slice(-50).map(readable))
  return [...said]
    .slice(-12)
    .map((line) => `  ${line.slice(0, 600)}`)
    .join('\n')
}

const LogLine = z.object({ msg: z.string(), err: z.object({ message: z.string() }).optional() })

/** What a line of a service's log says, without what only programs read. */
function readable(line: string): string {
  try {
    const { msg, err } = LogLine.parse(JSON.parse(line))
    return err ? `${msg}: ${err.message}` : msg
  } catch {
    return line
  }
}
