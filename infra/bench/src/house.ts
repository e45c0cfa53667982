import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Endpoints {
  readonly api: string
  readonly postgres: string
  readonly root_api_key: string
  readonly processes: readonly { readonly name: string; readonly pid: number }[]
}

export interface RunningHouse extends AsyncDisposable {
  readonly endpoints: Endpoints
  readonly dataDir: string
}

const START = join(import.meta.dirname, '../../local/src/start.ts')

/** Starts the whole house as `npm start` does, in a data folder of its own, and waits until `until` stands in its output. */
export async function startHouse(args: readonly string[], until: RegExp): Promise<RunningHouse> {
  const dataDir = join(await mkdtemp(join(tmpdir(), 'youworker-bench-')), 'data')
  const child = spawn(process.execPath, [START, '--data', dataDir, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const exited = once(child, 'exit')
  let output = ''
  await new Promise<void>((resolve, reject) => {
    const read = (chunk: Buffer) => {
      output += chunk.toString()
      if (until.test(output)) resolve()
    }
    child.stdout.on('data', read)
    child.stderr.on('data', read)
    child.once('exit', () => reject(new Error(`the house did not start:\n${output}`)))
  })
  return {
    endpoints: JSON.parse(await readFile(join(dataDir, 'endpoints.json'), 'utf8')) as Endpoints,
    dataDir,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      await exited
      await rm(join(dataDir, '..'), { recursive: true, force: true })
    },
  }
}
