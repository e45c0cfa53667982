// `npm run check`: runs all checks at once. Prints one line for each, and the output of those that fail.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { ROOT } from './root.ts'

const BIN = join(ROOT, 'node_modules/.bin')

const CHECKS: readonly (readonly [name: string, command: string, ...args: string[]])[] = [
  ['format', join(BIN, 'oxfmt'), '--check', '.'],
  ['lint', process.execPath, '--run', 'check:lint'],
  ['types', process.execPath, '--run', 'check:types'],
  ['unused', join(BIN, 'knip'), '--include', 'files,dependencies,unlisted,exports'],
  ['readme', process.execPath, join(import.meta.dirname, 'readme.ts'), '--check'],
  ['rules', process.execPath, join(import.meta.dirname, 'rules.ts')],
]

async function check([name, command, ...args]: (typeof CHECKS)[number]): Promise<boolean> {
  const started = performance.now()
  const { promise, resolve } = Promise.withResolvers<{ failed: boolean; output: string }>()
  execFile(command, args, { cwd: ROOT, maxBuffer: 64 * 1024 ** 2 }, (error, stdout, stderr) => {
    resolve({ failed: error !== null, output: `${stdout}${stderr}`.trim() })
  })
  const { failed, output } = await promise
  const seconds = ((performance.now() - started) / 1_000).toFixed(1)
  const lastLine = output.split('\n').at(-1) ?? ''
  console.log(`${failed ? 'failed' : 'ok    '}  ${name} (${seconds} s)${name === 'rules' ? `: ${lastLine}` : ''}`)
  if (failed) console.log(`${output.replaceAll(/^/gm, '    ')}\n`)
  return failed
}

const failures = await Promise.all(CHECKS.map(check))
process.exitCode = failures.includes(true) ? 1 : 0
