import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import type { DataDir } from '../data-dir/data-dir.ts'
import { StartError } from '../start-error.ts'
import type { Running, SupervisedProcess } from './supervised-process.ts'

const LONGEST_MS = 90_000
/** While the system serves, on a machine that is not busy with a whole start. */
const REPLACEMENT_MS = 60_000
/** Exit code of a process with invalid settings. Starting it again would not help. */
const WRONG_SETTINGS = 2
const TRIES = 3
/** A process that dies slowly gets no third try. */
const DYING_MS = 12_000

export async function isReady(url: string | undefined, timeoutMs = 1_000): Promise<boolean> {
  if (url === undefined) return false
  return fetch(url, { signal: AbortSignal.timeout(timeoutMs) }).then(
    async (response) => {
      await response.body?.cancel()
      return response.status === 200
    },
    () => false,
  )
}

/** Whether the process is ready and reaches the tools that its chats need, if it has any. */
export async function isReadyWithTools(url: string | undefined): Promise<boolean> {
  if (url === undefined) return false
  return fetch(url, { signal: AbortSignal.timeout(1_000) }).then(
    async (response) => {
      const missing = complaints(await response.text())
      // A single process has the components of all services, as `chat-agent.tools`.
      return response.status === 200 && !missing.some(({ name }) => /(?:^|\.)tools$/.test(name))
    },
    () => false,
  )
}

/** Throws {@link StartError} with the last lines of the log when the process does not become ready, or what `isThere` says. */
export async function waitUntilReady(
  process: SupervisedProcess,
  data: DataDir,
  signal: AbortSignal,
  isThere: (healthUrl: string | undefined) => Promise<boolean> = isReady,
): Promise<void> {
  const { name } = process.spec
  let dyingSince = Infinity
  const hasEnded = () => {
    if (process.deaths > 0) dyingSince = Math.min(dyingSince, Date.now())
    const isSlow = process.deaths > 1 && Date.now() - dyingSince > DYING_MS
    return process.lastExit?.code === WRONG_SETTINGS || process.deaths >= TRIES || isSlow
  }
  if (process.running && process.healthUrl === undefined) return
  await poll({ name, healthUrl: () => process.healthUrl, isThere, hasEnded, longestMs: LONGEST_MS }, data, signal)
}

/** The same for a process that is not supervised yet: one exit is enough. */
export async function waitUntilFirstReady(name: string, running: Running, data: DataDir, signal: AbortSignal): Promise<void> {
  if (running.healthUrl === undefined) return
  let ended = false
  void running.exited.then(() => (ended = true))
  const what = { name, healthUrl: () => running.healthUrl, isThere: isReady, hasEnded: () => ended }
  await poll({ ...what, longestMs: REPLACEMENT_MS }, data, signal)
}

interface Polled {
  readonly name: string
  healthUrl(): string | undefined
  isThere(healthUrl: string | undefined): Promise<boolean>
  hasEnded(): boolean
  readonly longestMs: number
}

async function poll(
  { name, healthUrl, isThere, hasEnded, longestMs }: Polled,
  data: DataDir,
  signal: AbortSignal,
): Promise<void> {
  const until = Date.now() + longestMs
  while (!(await isThere(healthUrl()))) {
    signal.throwIfAborted()
    const isHopeless = hasEnded()
    if (isHopeless || Date.now() > until) {
      const state = isHopeless ? 'does not start' : `was not ready after ${longestMs / 1000} s: ${await reasons(healthUrl())}`
      throw new StartError(`${name} ${state}. The end of ${data.log(name)}:\n${await tail(data.log(name))}`)
    }
    await sleep(50, undefined, { signal })
  }
}

async function reasons(url: string | undefined): Promise<string> {
  if (url === undefined) return 'it does not run'
  return fetch(url, { signal: AbortSignal.timeout(3_000) }).then(
    async (response) =>
      complaints(await response.text())
        .map(({ name, message }) => `${name}: ${message}`)
        .join('; '),
    () => 'no answer',
  )
}

const Health = z.object({ components: z.array(z.object({ name: z.string(), message: z.string().optional() })) })

/** What is wrong, by component. */
function complaints(text: string): { name: string; message: string }[] {
  try {
    const { components } = Health.parse(JSON.parse(text))
    return components.flatMap(({ name, message }) => (message === undefined ? [] : [{ name, message }]))
  } catch {
    return [{ name: 'health', message: text }]
  }
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

const LogLine = z.object({ message: z.string(), err: z.object({ message: z.string() }).optional() })

const TIME_AND_LEVEL = /^\d{4}-\d\d-\d\dT[\d:.]+Z [A-Z]+ /

/** The message and error of a JSON log line; any other line without its time. */
function readable(line: string): string {
  try {
    const { message, err } = LogLine.parse(JSON.parse(line))
    return err ? `${message}: ${err.message}` : message
  } catch {
    return line.replace(TIME_AND_LEVEL, '')
  }
}
