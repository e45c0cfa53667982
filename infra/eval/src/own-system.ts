import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Endpoints } from '@youworker/local/data-dir/endpoints'

const START = join(import.meta.dirname, '../../local/src/start.ts')
const READY = /^API +http/m

/** The whole system as `npm start` starts it, in a folder of its own that ends with the stack. */
export async function startSystem(stack: AsyncDisposableStack): Promise<Endpoints> {
  const dir = await mkdtemp(join(tmpdir(), 'youworker-eval-'))
  stack.defer(() => rm(dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 }))
  const child = spawn(process.execPath, [START, '--data', dir, '--no-demo'], {
    env: { ...process.env, SECURITY__RATE_LIMITS: 'off' },
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
  return JSON.parse(await readFile(join(dir, 'endpoints.json'), 'utf8')) as Endpoints
}
