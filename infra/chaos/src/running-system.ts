import { spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Endpoints } from '@youworker/local/data-dir/endpoints'

const START = join(import.meta.dirname, '../../local/src/start.ts')
const READY = /YouWorker is up/

export interface RunningSystem {
  readonly api: string
  readonly key: string
  /** Sends a signal to a process of the system and to its children. */
  signal(name: string, signal: NodeJS.Signals): Promise<void>
}

/** The whole system as `npm start` starts it, in a folder of its own that ends with the stack. */
export async function startSystem(stack: AsyncDisposableStack, args: readonly string[]): Promise<RunningSystem> {
  const dir = await mkdtemp(join(tmpdir(), 'youworker-chaos-'))
  stack.defer(() => rm(dir, { recursive: true, force: true }))
  const dataDir = join(dir, 'data')
  const child = spawn(process.execPath, [START, '--data', dataDir, '--no-demo', ...args], {
    env: { ...process.env, OFFLINE_MODEL__TOKENS_PER_SECOND: '0' },
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
    async signal(name, signal) {
      const pid = (await endpoints()).processes.find((process) => process.name === name)?.pid
      if (pid == null) throw new Error(`${name} is not running`)
      for (const one of [pid, ...(await childrenOf(pid))]) process.kill(one, signal)
    },
  }
}

/** Direct children (proc(5): the parent is the second field of `stat` after the name in parentheses). */
async function childrenOf(parent: number): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)
  const parents = await Promise.all(
    pids.map(async (pid) => {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
      return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
    }),
  )
  return pids.filter((_, index) => parents[index] === parent)
}
