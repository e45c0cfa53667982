import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { ROOT } from './root.ts'

/** Runs a tool of the workspace for its output, whatever its exit code. Rejects when it printed nothing. */
export function runTool(cwd: string, tool: string, args: readonly string[]): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  execFile(join(ROOT, 'node_modules/.bin', tool), args, { cwd, maxBuffer: 64 * 1024 ** 2 }, (error, stdout, stderr) => {
    if (error && stdout.trim() === '') reject(new Error(`${tool} did not run: ${stderr || error.message}`))
    else resolve(stdout)
  })
  return promise
}
