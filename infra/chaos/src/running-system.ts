import { execFile, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { signalTree } from '@youworker/embedded/signal-tree'
import type { Endpoints } from '@youworker/local/data-dir/endpoints'

const START = join(import.meta.dirname, '../../local/src/start.ts')
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
}

/** The whole system as `npm start` starts it, in a folder of its own that ends with the stack. */
export async function startSystem(
  stack: AsyncDisposableStack,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<RunningSystem> {
  const dir = await mkdtemp(join(tmpdir(), 'youworker-chaos-'))
  stack.defer(() => rm(dir, { recursive: true, force: true }))
  const dataDir = join(dir, 'data')
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
  return {
    api,
    key,
    endpoints,
    async command(...command) {
      const { stdout } = await run(process.execPath, [START, ...command, '--data', dataDir])
      return stdout
    },
    async signal(name, signal) {
      const pid = (await endpoints()).processes.find((process) => process.name === name)?.pid
      if (pid == null) throw new Error(`${name} is not running`)
      await signalTree(pid, signal)
    },
  }
}
