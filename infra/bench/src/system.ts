import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Endpoints {
  readonly api: string
  readonly postgres: string
  readonly root_api_key: string
  readonly processes: readonly { readonly name: string; readonly pid: number; readonly url?: string }[]
}

export interface RunningSystem {
  readonly dataDir: string
  readonly endpoints: Endpoints
  stop(): Promise<void>
}

const START = join(import.meta.dirname, '../../local/src/start.ts')

/** A new folder, deleted when the bench ends. */
export async function temporaryDir(stack: AsyncDisposableStack): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'youworker-bench-'))
  // A server of a helper that was ended may still write for a moment.
  stack.defer(() => rm(dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 }))
  return dir
}

/** Ends the child when the bench ends; the function returned ends it earlier. */
export function endWith(stack: AsyncDisposableStack, child: ChildProcess): () => Promise<void> {
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()).once('error', () => resolve()))
  const stop = async () => {
    child.kill('SIGTERM')
    await exited
  }
  stack.defer(stop)
  return stop
}

/**
 * Starts the whole system as `npm start` does, in a data folder of its own, and waits until its output matches `until`. It
 * ends with the stack, or when this process dies.
 */
export async function startSystem(
  stack: AsyncDisposableStack,
  args: readonly string[],
  until: RegExp,
  more: Readonly<Record<string, string>> = {},
): Promise<RunningSystem> {
  const dataDir = join(await temporaryDir(stack), 'data')
  // The load of a bench is far above the rate limits.
  const env = { ...process.env, SECURITY__RATE_LIMITS: 'off', ...more }
  const child = spawn(process.execPath, [START, '--data', dataDir, ...args], { env, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] })
  const stop = endWith(stack, child)
  let output = ''
  await new Promise<void>((resolve, reject) => {
    const read = (chunk: Buffer) => {
      output += chunk.toString()
      if (until.test(output)) resolve()
    }
    child.stdout?.on('data', read)
    child.stderr?.on('data', read)
    child.once('exit', () => reject(new Error(`the system did not start:\n${output}`)))
  })
  return { dataDir, endpoints: JSON.parse(await readFile(join(dataDir, 'endpoints.json'), 'utf8')) as Endpoints, stop }
}

/** Resolves to the first message of a child, which it sends when it is ready. */
export async function firstMessage(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    child.once('message', resolve)
    child.once('exit', () => reject(new Error('a helper of the bench ended early')))
  })
}
