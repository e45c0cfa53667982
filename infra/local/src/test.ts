import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { findNatsServer } from '@youworker/embedded/nats'
import { freePort } from '@youworker/embedded/port'
import { startPostgres } from '@youworker/embedded/postgres'
import { ROOT } from './paths.ts'
import { say } from './say.ts'
import { readReport } from './test-report.ts'

// `npm test`: one Postgres for the whole run, a nats-server at hand, then the tests of every package in one vitest: turbo would need pnpm on
// PATH, which a newcomer does not have, and start seventeen processes to the same end.
const VITEST = join(ROOT, 'node_modules/vitest/vitest.mjs')
const PASSWORD = 'test-only-password'

const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort())
process.once('disconnect', () => stop.abort())

process.exitCode = await test(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  say('0 passed, 1 failed')
  return 1
})
process.exit()

async function test(args: readonly string[]): Promise<number> {
  await using stack = new AsyncDisposableStack()
  const dir = await mkdtemp(join(tmpdir(), 'youworker-test-'))
  stack.defer(() => rm(dir, { recursive: true, force: true }))
  say('Starting one Postgres for all tests …')
  const [postgres, nats] = await Promise.all([startTestPostgres(dir), findNatsServer({ onProgress: say })])
  stack.use(postgres)
  const report = join(dir, 'report.json')
  const code = await runVitest(args, report, {
    ...process.env,
    TEST_POSTGRES_URL: postgres.adminUrl,
    TEST_NATS_BINARY: nats.path,
    PATH: [dirname(nats.path), dirname(process.execPath), process.env['PATH']].join(delimiter),
    TMPDIR: tmpdir(),
  })
  const { passed, failed, failures } = readReport(await readFile(report, 'utf8').catch(() => ''), code)
  await stack.disposeAsync()
  if (failures.length > 0) say(`\nFailed:\n${failures.map((line) => `  ${line}`).join('\n')}`)
  if (passed + failed === 0) say('No test was found.')
  say(`${passed} passed, ${failed} failed`)
  return failed > 0 || passed === 0 ? 1 : 0
}

async function startTestPostgres(dir: string) {
  // Nothing here outlives the run, so nothing needs to reach the disk.
  const settings = { fsync: 'off', full_page_writes: 'off', synchronous_commit: 'off', max_connections: 400 }
  return startPostgres({
    dataDir: join(dir, 'postgres'),
    port: await freePort(),
    password: PASSWORD,
    logFile: join(dir, 'postgres.log'),
    settings,
  })
}

function runVitest(args: readonly string[], report: string, env: NodeJS.ProcessEnv): Promise<number> {
  const fixed = ['run', '--config', join(ROOT, 'infra/local/all-tests.config.ts'), '--root', ROOT]
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
  const child = spawn(process.execPath, [VITEST, ...fixed, ...reporters, ...args], {
    cwd: ROOT,
    env,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  stop.signal.addEventListener('abort', () => child.kill('SIGTERM'))
  return new Promise((resolve) => child.once('exit', (code) => resolve(code ?? 1)).once('error', () => resolve(1)))
}
