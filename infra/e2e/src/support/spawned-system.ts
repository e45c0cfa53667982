import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { signalTree } from '@youworker/embedded/signal-tree'
import type { Endpoints } from '@youworker/local/data-dir/endpoints'
import { waitFor } from '@youworker/test-kit/wait-for'
import pg from 'pg'
import { Person, readEvents, type SseEvent } from './person.ts'
import { ROOT } from './root.ts'
import { PATIENT_MS } from './system.ts'

const RUN = [process.execPath, join(ROOT, 'infra/local/src/start.ts')]

interface StartOptions {
  readonly env?: Record<string, string>
  /** The folder in which the user typed the command. */
  readonly cwd?: string
  /** A command prefix that runs the start as another user. */
  readonly as?: readonly string[]
  /** What is run in place of start.ts. */
  readonly command?: readonly string[]
}

export type Started = ReturnType<typeof spawnStart>

/** Runs start.ts as `npm start` does through boot.mjs: with an IPC channel, whose end stops it. */
export function spawnStart(args: readonly string[], { env = {}, cwd = ROOT, as = [], command = RUN }: StartOptions = {}) {
  const [file = '', ...rest] = [...as, ...command, ...args]
  const mark = `e2e-${crypto.randomUUID()}`
  const child = spawn(file, rest, {
    cwd,
    env: { ...process.env, INIT_CWD: cwd, LOG_LEVEL: 'debug', API__DEADLINE_MS: PATIENT_MS, E2E_MARK: mark, ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    // A process group of its own, as a shell creates for each command.
    detached: true,
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const exit = once(child, 'close').then(([code]) => code as number | null)
  return {
    child,
    exit,
    output: () => output,
    /** Acts as Ctrl+C in a terminal, which signals the whole process group. */
    interrupt: () => process.kill(-(child.pid ?? Number.NaN), 'SIGINT'),
    /** Running processes among it and its descendants (Linux only). */
    processes: () => markedProcesses(mark),
  }
}

/** Runs a start and waits for its end. */
export async function runStart(
  args: readonly string[],
  options: StartOptions = {},
): Promise<{ code: number | null; output: string }> {
  const started = spawnStart(args, options)
  return { code: await started.exit, output: started.output() }
}

async function markedProcesses(mark: string): Promise<string[]> {
  const pids = process.platform === 'linux' ? (await readdir('/proc')).filter((name) => /^\d+$/.test(name)) : []
  const found = await Promise.all(
    pids.map(async (pid) => {
      const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '')
      if (!environment.includes(mark) || !(await isRunning(Number(pid)))) return []
      return [`${pid} ${(await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ')}`]
    }),
  )
  return found.flat()
}

/** A zombie (ended, not yet reaped by its parent) does not count as running. */
export async function isRunning(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0)
  } catch {
    return false
  }
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2))
}

export class SpawnedSystem {
  readonly dataDir: string
  readonly root: Person
  readonly started: Started
  /** Names of the processes that `kill` ended, in order. */
  readonly killed: string[] = []

  constructor(dataDir: string, root: Person, started: Started) {
    this.dataDir = dataDir
    this.root = root
    this.started = started
  }

  async endpoints(): Promise<Endpoints> {
    return JSON.parse(await readFile(join(this.dataDir, 'endpoints.json'), 'utf8')) as Endpoints
  }

  async process(name: string): Promise<Endpoints['processes'][number] & { readonly pid: number }> {
    const { processes } = await this.endpoints()
    const found = processes.find((candidate) => candidate.name === name)
    if (!found?.pid) throw new Error(`no process ${name} in ${JSON.stringify(processes)}`)
    return { ...found, pid: found.pid }
  }

  async kill(name: string, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    process.kill((await this.process(name)).pid, signal)
    if (signal === 'SIGKILL') this.killed.push(name)
  }

  /** Stops the process and its children without ending them, runs `work`, and lets them go on. */
  async frozen<T>(name: string, work: () => Promise<T>): Promise<T> {
    const { pid } = await this.process(name)
    await signalTree(pid, 'SIGSTOP')
    try {
      return await work()
    } finally {
      // The supervisor may have replaced it by then.
      await signalTree(pid, 'SIGCONT').catch(() => {})
    }
  }

  /** Names of the processes whose end the supervisor printed, in order. */
  deaths(): string[] {
    return [...this.started.output().matchAll(/^(\S+) (?:was ended by|ended with)/gm)].map(([, name = '']) => name)
  }

  /** Name of the chat-agent that runs a job at this moment, according to its metrics. */
  ownerOfTheRun(): Promise<string> {
    return this.#busy('chat-agent', /^jobs_running\{[^}]*kind="run"[^}]*\} [1-9]/m)
  }

  /** Name of the gateway that sends an event stream at this moment. */
  gatewayOfTheStream(): Promise<string> {
    return this.#busy('gateway', /^sse_streams [1-9]/m)
  }

  async #busy(service: string, sign: RegExp): Promise<string> {
    const { processes } = await this.endpoints()
    for (const { name, health_url } of processes.filter((candidate) => candidate.name.startsWith(`${service}.`))) {
      const metrics = await (await fetch(new URL('/metrics', health_url))).text()
      if (sign.test(metrics)) return name
    }
    throw new Error(`no ${service} is busy`)
  }

  async sql<Row extends pg.QueryResultRow>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    const client = new pg.Client({ connectionString: (await this.endpoints()).postgres })
    await client.connect()
    try {
      return (await client.query<Row>(text, [...values])).rows
    } finally {
      await client.end()
    }
  }

  /** Sends SIGTERM and waits for the end. */
  async stop(): Promise<number | null> {
    this.started.child.kill('SIGTERM')
    return this.started.exit
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop().then(() => undefined)
  }
}

/** Starts a system and waits until it is ready. */
export async function spawnSystem(dataDir: string, args: readonly string[], options: StartOptions = {}): Promise<SpawnedSystem> {
  const file = join(dataDir, 'endpoints.json')
  // A killed supervisor leaves its file behind, which must not be taken for that of this start.
  await rm(file, { force: true })
  const started = spawnStart(['--data', dataDir, ...args], options)
  const written = waitFor(async () => JSON.parse(await readFile(file, 'utf8')) as Endpoints, {
    what: `endpoints.json of ${dataDir}`,
    timeoutMs: 120_000,
  })
  const failed = started.exit.then((code) => Promise.reject(new Error(`the start ended with ${code}:\n${started.output()}`)))
  try {
    const { api, root_api_key } = await Promise.race([written, failed])
    return new SpawnedSystem(dataDir, new Person(api, '', root_api_key), started)
  } catch (error) {
    started.child.kill('SIGTERM')
    throw new Error(`the system did not come up:\n${started.output()}`, { cause: error })
  } finally {
    failed.catch(() => {})
    written.catch(() => {})
  }
}

/** Asks a question and calls `disturb` once after `afterTokens` tokens. Returns the events until the stream ended or broke. */
export async function disturbedChat(
  person: Person,
  question: string,
  { afterTokens, disturb }: { afterTokens: number; disturb: (runId: string) => Promise<void> },
): Promise<SseEvent[]> {
  const response = await person.fetch('/v1/chat', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ text_input: question }),
  })
  const events: SseEvent[] = []
  let tokens = 0
  try {
    for await (const event of readEvents(response)) {
      events.push(event)
      if (event.event === 'token' && ++tokens === afterTokens) await disturb(events[0]?.data.run_id)
    }
  } catch (error) {
    // A broken connection is a TypeError (`fetch failed`, `terminated`). Other errors are mistakes of the test.
    if (!(error instanceof TypeError)) throw error
  }
  if (tokens < afterTokens) throw new Error(`only ${tokens} tokens came: ${JSON.stringify(events)}`)
  return events
}
