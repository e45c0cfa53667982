import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ROOT } from './root.ts'

/** `npm run youworker -- …`. Returns what it printed; rejects with it when it fails. */
export async function youworker(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [join(ROOT, 'infra/cli/src/main.ts'), ...args])
  return stdout
}

/** Runs the example of a team as the command that was printed for it says. */
export function runPrintedExample(printed: string): AsyncDisposable & { output: () => string } {
  const [, url = '', script = '', owners = ''] = /NATS_URL=(\S+) node (\S+)([^\n]*)/.exec(printed) ?? []
  const child = spawn(process.execPath, [join(ROOT, script), ...owners.trim().split(' ')], {
    env: { PATH: process.env['PATH'], NATS_URL: url },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const exit = once(child, 'exit')
  return {
    output: () => output,
    async [Symbol.asyncDispose]() {
      child.kill()
      await exit
    },
  }
}
