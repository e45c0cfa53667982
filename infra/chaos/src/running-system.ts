import { execFile, spawn } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { signalTree } from '@youworker/embedded/signal-tree'
import type { Endpoints } from '@youworker/local/data-dir/endpoints'

const START = join(import.meta.dirname, '../../local/src/start.ts')
const CLI = join(import.meta.dirname, '../../cli/src/main.ts')
const run = promisify(execFile)
const READY = /YouWorker is up/

export interface RunningSystem {
  readonly api: string
  readonly key: string
  endpoints(): Promise<Endpoints>
  /** Runs `npm start -- …` for it and returns what it printed. Throws when it fails. */
  command(...args: string[]): Promise<string>
  /** Sends a signal to a process of the system and to its children. */
  signal(name: string, signal: NodeJS.Signals): Promise<void>
  /** Kills one process with SIGKILL, without its children. False when it does not run at the moment. */
  kill(name: string): Promise<boolean>
  /** Names of all processes. */
  names(): Promise<string[]>
  /** How many events the services have given up. */
  deadLetters(): Promise<number>
  /** Copies the logs, with what the supervisor printed, to a folder that stays, and returns it. */
  keepLogs(): Promise<string>
}

interface SystemOptions {
  /** Where the data folder is made; by default a folder that ends with the stack. */
  readonly dir?: string
  readonly env?: Readonly<Record<string, string>>
}

/** The whole system as `npm start` starts it. */
export async function startSystem(
  stack: AsyncDisposableStack,
  args: readonly string[],
  { dir, env = {} }: SystemOptions = {},
): Promise<RunningSystem> {
  const dataDir = join(dir ?? (await temporaryDir(stack)), 'data')
  const child = spawn(process.execPath, [START, '--data', dataDir, '--no-demo', ...args], {
    env: { ...process.env, OFFLINE_MODEL__TOKENS_PER_SECOND: '0', SECURITY__RATE_LIMITS: 'off', ...env },
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  })
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  stack.defer(async () => {
    child.kill('SIGTERM')
    await exited
  })
  let output = ''
  await new Promise<void>((resolve, reject) => {
    child.stdout?.on('data', (chunk: Buffer) => {
      output += chunk.toString()
      if (READY.test(output)) resolve()
    })
    child.once('exit', () => reject(new Error(`the system did not start:\n${output}`)))
  })
  // The supervisor wrote it from this type.
  const endpoints = async () => JSON.parse(await readFile(join(dataDir, 'endpoints.json'), 'utf8')) as Endpoints
  const { api, root_api_key: key } = await endpoints()
  const keepLogs = async () => {
    const kept = await mkdtemp(join(tmpdir(), 'youworker-chaos-logs-'))
    await cp(join(dataDir, 'logs'), kept, { recursive: true })
    await writeFile(join(kept, 'supervisor.log'), output)
    return kept
  }
  const command = async (...words: string[]) => (await run(process.execPath, [START, ...words, '--data', dataDir])).stdout
  return { api, key, endpoints, command, keepLogs, ...controls(endpoints) }
}

function controls(
  endpoints: () => Promise<Endpoints>,
): Omit<RunningSystem, 'api' | 'key' | 'endpoints' | 'command' | 'keepLogs'> {
  const pidOf = async (name: string) => (await endpoints()).processes.find((process) => process.name === name)?.pid
  return {
    async signal(name, signal) {
      const pid = await pidOf(name)
      if (pid == null) throw new Error(`${name} is not running`)
      await signalTree(pid, signal)
    },
    async kill(name) {
      const pid = await pidOf(name)
      try {
        return pid != null && process.kill(pid, 'SIGKILL')
      } catch {
        return false
      }
    },
    names: async () => (await endpoints()).processes.map(({ name }) => name),
    async deadLetters() {
      const { postgres, nats } = await endpoints()
      const env = { ...process.env, DATABASE__ADMIN_URL: postgres, NATS__ADMIN_URL: nats }
      const { stdout } = await run(process.execPath, [CLI, 'events', 'dead-letters', 'list'], { env })
      return stdout.includes('There are no dead letters') ? 0 : Number(/^(\d+) dead letters/m.exec(stdout)?.[1] ?? Number.NaN)
    },
  }
}

async function temporaryDir(stack: AsyncDisposableStack): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'youworker-chaos-'))
  stack.defer(() => rm(dir, { recursive: true, force: true }))
  return dir
}
