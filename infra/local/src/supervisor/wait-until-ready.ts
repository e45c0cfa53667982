import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import type { DataDir } from '../data-dir/data-dir.ts'
import { StartError } from '../start-error.ts'
import type { SupervisedProcess } from './supervised-process.ts'

const LONGEST_MS = 90_000
/** Exit code of a process with invalid settings. Starting it again would not help. */
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

/** Throws {@link StartError} with the last lines of the log when the process does not become ready. */
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
  // Stack frames name our own files and do not help the user; the message above them stays.
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('    at '))
  // Each attempt to start logs the same lines, so each line is shown once.
  const distinct = new Set(lines.slice(-50).map(readable))
  return [...distinct]
    .slice(-12)
    .map((line) => `  ${line.slice(0, 600)}`)
    .join('\n')
}

const LogLine = z.object({ msg: z.string(), err: z.object({ message: z.string() }).optional() })

/** The message and error of a JSON log line; any other line as it is. */
function readable(line: string): string {
  try {
    const { msg, err } = LogLine.parse(JSON.parse(line))
    return err ? `${msg}: ${err.message}` : msg
  } catch {
    return line
  }
}
