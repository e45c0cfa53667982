// `npm test [-- FILTER …]`: the tests of every package in one vitest; the last line counts them. Without a filter those in folders named
// `long` are left out: whole systems that are restarted, killed and frozen again and again, for a quarter of an hour.
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ROOT } from './root.ts'
import { readReport } from './test-report.ts'

const LONG = '**/long/**'
const VITEST = join(ROOT, 'node_modules/vitest/vitest.mjs')

const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort())
process.once('disconnect', () => stop.abort())

process.exitCode = await test(process.argv.slice(2))
process.exit()

async function test(args: readonly string[]): Promise<number> {
  const dir = await mkdtemp(join(tmpdir(), 'youworker-test-'))
  const report = join(dir, 'report.json')
  const isWhole = args.every((arg) => arg.startsWith('-'))
  const leftOut = isWhole ? [`--exclude=${LONG}`] : []
  const code = await runVitest([...leftOut, '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, ...args])
  const { passed, failed, failures } = readReport(await readFile(report, 'utf8').catch(() => ''), code)
  await rm(dir, { recursive: true, force: true })
  if (failures.length > 0) console.log(`\nFailed:\n${failures.map((line) => `  ${line}`).join('\n')}`)
  if (passed + failed === 0) console.log('No test was found.')
  if (isWhole) console.log('Left out: long tests (npm test -- src/long)')
  console.log(`${passed} passed, ${failed} failed`)
  return failed > 0 || passed === 0 ? 1 : 0
}

function runVitest(args: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, [VITEST, 'run', ...args], { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'] })
  stop.signal.addEventListener('abort', () => child.kill('SIGTERM'))
  return new Promise((resolve) => child.once('exit', (code) => resolve(code ?? 1)).once('error', () => resolve(1)))
}
