// Runs every npm script of this project. Plain JavaScript for Node 20, because nothing is installed yet on a fresh checkout: installs
// the packages (Node 26 among them), then runs the command on Node 26.
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const PNPM = 'pnpm@12.21.0'
const root = join(dirname(fileURLToPath(import.meta.url)), '../..')
const cache = join(root, 'node_modules/.cache/youworker')
const stamp = join(cache, 'installed')
const vitest = 'node_modules/vitest/vitest.mjs'

/** The scripts that each command runs, one after another. */
const COMMANDS = {
  start: [{ script: 'infra/local/src/start.ts' }],
  test: [{ script: 'infra/checks/src/test.ts' }],
  coverage: [{ script: vitest, args: ['run', '--coverage', 'services/'] }],
  check: [{ script: 'infra/checks/src/check.ts' }],
  'check:laws': [{ script: 'infra/checks/src/check-laws.ts' }],
  bench: [{ script: 'infra/bench/src/main.ts' }],
  explain: [{ script: 'infra/bench/src/explain/main.ts' }],
  eval: [{ script: 'infra/eval/src/main.ts' }],
  chaos: [{ script: 'infra/chaos/src/main.ts' }],
  'scale:check': [{ script: 'infra/chaos/src/main.ts', args: ['scale'] }],
  youworker: [{ script: 'infra/cli/src/main.ts' }],
  'contracts:accept': [
    {
      script: vitest,
      args: [
        'run',
        '--update=all',
        'packages/contracts',
        'packages/database/src/schema/schema-dump',
        'infra/e2e/src/generated-files',
      ],
      env: { ACCEPT_CONTRACTS: '1', ACCEPT_SCHEMA: '1' },
    },
    { script: 'infra/checks/src/readme.ts' },
  ],
}

function fail(message) {
  console.error(message)
  process.exit(1)
}

/** Hash of everything that an installation depends on: platform, lock file, pnpm settings and every package.json. */
function fingerprint() {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch}`)
  const packages = ['services', 'packages', 'infra'].flatMap((group) =>
    readdirSync(join(root, group))
      .sort()
      .map((name) => `${group}/${name}/package.json`),
  )
  for (const file of ['pnpm-lock.yaml', 'pnpm-workspace.yaml', 'package.json', ...packages]) {
    if (existsSync(join(root, file))) hash.update(file).update(readFileSync(join(root, file)))
  }
  return hash.digest('hex')
}

const isInstalled = (wanted) =>
  existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted && existsSync(join(root, 'node_modules/.bin/vitest'))

async function install() {
  const wanted = fingerprint()
  if (isInstalled(wanted)) return
  const lock = join(cache, 'install.lock')
  try {
    mkdirSync(cache, { recursive: true })
    while (!takeLock(lock)) {
      if (isInstalled(wanted)) return
      await new Promise((resolve) => setTimeout(resolve, 300))
    }
  } catch (error) {
    fail(`The packages cannot be installed: ${error.message}. This user must be able to write to ${join(root, 'node_modules')}.`)
  }
  try {
    if (isInstalled(wanted)) return
    console.log('Installing packages (about 15 s the first time) …')
    const args = ['-y', PNPM, 'install', '--frozen-lockfile', '--prefer-offline', '--config.confirmModulesPurge=false']
    const stopWatching = watchRegistry()
    const problem = await ended(spawn('npx', args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] }))
    stopWatching()
    if (problem !== undefined) {
      rmSync(lock, { force: true })
      fail(`The packages could not be installed (${problem}). The lines above say why. Is the npm registry reachable (npm ping)?`)
    }
    writeFileSync(stamp, wanted)
  } finally {
    rmSync(lock, { force: true })
  }
}

/** Resolves to why it failed, or to `undefined`. */
const ended = (child) =>
  new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('exit', (code, signal) => resolve(code === 0 ? undefined : (signal ?? `exit code ${code}`)))
  })

/** npx and pnpm say nothing for minutes while the registry does not answer. `npm ping` goes the same way, proxies included. */
function watchRegistry() {
  const ping = spawn('npm', ['ping', '--fetch-retries=0', '--fetch-timeout=8000'], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const timer = setTimeout(() => ping.kill(), 10_000)
  let said = ''
  let watching = true
  ping.stderr.on('data', (data) => (said += data))
  void ended(ping).then((problem) => {
    clearTimeout(timer)
    if (problem === undefined || !watching) return
    const registry = /PING (\S+)/.exec(said)?.[1] ?? 'of npm'
    const why = /\b(E[A-Z_]{4,}|\d{3} [A-Z][a-z ]+)/.exec(said.replace(/PING \S+/, ''))?.[1] ?? 'no answer'
    console.log(
      `Waiting for the npm registry ${registry}, which does not answer (${why}). Is this machine online? Behind a proxy: npm config set https-proxy http://HOST:PORT; another registry: npm config set registry URL. Ctrl+C ends the wait.`,
    )
  })
  return () => {
    watching = false
    ping.kill()
  }
}

/** Whether this process may install. Of two simultaneous starts on a fresh checkout the second waits for the first. */
function takeLock(lock) {
  try {
    writeFileSync(lock, String(process.pid), { flag: 'wx' })
    return true
  } catch (error) {
    if (error.code !== 'EEXIST') throw error
  }
  try {
    process.kill(Number(readFileSync(lock, 'utf8')) || 2 ** 30, 0)
  } catch (error) {
    if (error.code !== 'EPERM') rmSync(lock, { force: true })
  }
  return false
}

function node26() {
  const installed = join(root, 'node_modules/.bin/node')
  if (existsSync(installed)) return installed
  if (Number(process.versions.node.split('.')[0]) >= 26) return process.execPath
  return fail(
    `There is no packaged Node 26 for ${process.platform}-${process.arch}. Install Node 26 or later and run this command with it.`,
  )
}

function run({ script, args = [], env = {} }, rest) {
  const child = spawn(node26(), [join(root, script), ...args, ...rest], {
    cwd: root,
    // The IPC channel closes when this process ends, also after kill -9, and then the child ends itself.
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: {
      ...process.env,
      INIT_CWD: process.env.INIT_CWD ?? process.cwd(),
      PATH: `${join(root, 'node_modules/.bin')}:${process.env.PATH}`,
      // Keeps compiled and type-stripped code between starts.
      NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? join(cache, 'compiled'),
      // Also for every process that it starts. Young objects in 4 MB in place of 16: a fifth less memory at the same speed.
      NODE_OPTIONS: `--max-semi-space-size=4 ${process.env.NODE_OPTIONS ?? ''}`,
      ...env,
    },
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  return new Promise((resolve) => {
    child.once('error', (error) => fail(`Node 26 did not start: ${error.message}`))
    child.once('exit', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : 1)))
  })
}

/** Ends this process with npm. A killed npm passes no signal on, but its child then gets another parent. */
function endWithNpm() {
  if (process.env.npm_lifecycle_event === undefined) return
  const parent = process.ppid
  setInterval(() => process.ppid === parent || process.exit(1), 1_000).unref()
}

const [name, ...rest] = process.argv.slice(2)
if (Number(process.versions.node.split('.')[0]) < 20) {
  fail(
    `YouWorker needs Node 20 or later to start (this is ${process.version}). Get it from https://nodejs.org, then run the command again.`,
  )
}
const steps = COMMANDS[name]
if (steps === undefined) fail(`Unknown command ${name ?? ''}. There are: ${Object.keys(COMMANDS).join(', ')}.`)
endWithNpm()
await install()
for (const step of steps) {
  const code = await run(step, rest)
  if (code !== 0) process.exit(code)
}
process.exit(0)
