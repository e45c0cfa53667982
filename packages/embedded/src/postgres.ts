import { chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { commandLine, endOrphan, type Exit, isAlive, launch, type ServerProcess } from './child-server.ts'
import { findRunner, type PostgresRunner } from './postgres-runner.ts'

export interface PostgresOptions {
  readonly dataDir: string
  readonly port: number
  /** Password of the superuser `postgres`; set when the data folder is created. */
  readonly password: string
  readonly logFile?: string | undefined
  /** Called when the server ends without `stop()`. */
  readonly onExit?: ((exit: Exit) => void) | undefined
  readonly onProgress?: ((message: string) => void) | undefined
  /** Further lines of configuration, e.g. `{ fsync: 'off' }` for tests. */
  readonly settings?: Readonly<Record<string, string | number>> | undefined
}

export interface EmbeddedPostgres extends AsyncDisposable {
  readonly adminUrl: string
  readonly port: number
  readonly pid: number
  readonly exited: Promise<Exit>
  /** `stepMs`: pause between two signals. */
  stop(stepMs?: number): Promise<void>
}

export const POSTGRES_MAJOR = 18

const SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: 250,
  shared_buffers: '64MB',
  wal_level: 'minimal',
  max_wal_senders: 0,
  max_wal_size: '512MB',
  checkpoint_timeout: '15min',
  jit: 'off',
  huge_pages: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
  // Statements may contain users' text, so errors are logged without them.
  log_min_error_statement: 'panic',
  log_error_verbosity: 'terse',
  log_line_prefix: '%m [%p] ',
}
/** Long enough for recovery after a crash. */
const READY_MS = 60_000
/** How long a server that ends at once is restarted: a killed predecessor may still hold shared memory or the port. */
const RETRY_MS = 6_000

/** Starts PostgreSQL 18 on 127.0.0.1, as an ordinary user or as root. */
export async function startPostgres(options: PostgresOptions): Promise<EmbeddedPostgres> {
  const { dataDir, port, password, onProgress } = options
  const runner = await findRunner()
  if (!(await isInitialised(dataDir))) {
    onProgress?.('Postgres: making a new database (a few seconds, only the first time)')
    await initialise(runner, dataDir, password)
  }
  await endPrevious(dataDir)
  const server = await startServer(runner, options)
  return {
    adminUrl: `postgresql://postgres:${encodeURIComponent(password)}@127.0.0.1:${port}/postgres`,
    port,
    pid: server.pid,
    exited: server.exited,
    stop: (stepMs) => server.stop(stepMs),
    [Symbol.asyncDispose]: () => server.stop(),
  }
}

const isInitialised = async (dataDir: string): Promise<boolean> => (await majorOf(dataDir)) !== undefined

const majorOf = (dataDir: string): Promise<string | undefined> =>
  readFile(join(dataDir, 'PG_VERSION'), 'utf8').then(
    (text) => text.trim(),
    () => undefined,
  )

/** The major version of a cluster that this Postgres cannot start. */
export async function foreignMajor(dataDir: string): Promise<string | undefined> {
  const major = await majorOf(dataDir)
  return major === String(POSTGRES_MAJOR) ? undefined : major
}

/** Creates the cluster in a temporary folder and renames it, so that an interrupted start leaves no partial cluster. */
async function initialise(runner: PostgresRunner, dataDir: string, password: string): Promise<void> {
  const making = `${dataDir}.new`
  const passwordFile = `${dataDir}.password`
  await rm(making, { recursive: true, force: true })
  await mkdir(dirname(dataDir), { recursive: true })
  await mkdir(making, { mode: 0o700 })
  await writeFile(passwordFile, password, { mode: 0o600 })
  try {
    await runner.own(making, passwordFile)
    await runner.run('initdb', [
      `--pgdata=${making}`,
      '--username=postgres',
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
      '--locale=C',
    ])
    await rm(dataDir, { recursive: true, force: true })
    await rename(making, dataDir)
  } finally {
    await rm(passwordFile, { force: true })
    await rm(making, { recursive: true, force: true })
  }
}

/** Cleans up after a killed server: waits for its end, or removes a pid file whose pid now belongs to another program. */
async function endPrevious(dataDir: string): Promise<void> {
  const pid = (await readStatus(dataDir))?.pid
  if (pid === undefined || !isAlive(pid)) return
  const isPostgres = (line: string) => /postgres/.test(line)
  if (isPostgres(await commandLine(pid))) await endOrphan(pid, ['SIGINT', 'SIGQUIT'], isPostgres)
  await rm(join(dataDir, 'postmaster.pid'), { force: true })
}

async function startServer(runner: PostgresRunner, options: PostgresOptions): Promise<ServerProcess> {
  const { dataDir, port, logFile, onExit } = options
  const settings = Object.entries({ ...SETTINGS, ...options.settings, port }).flatMap(([name, value]) => [
    '-c',
    `${name}=${value}`,
  ])
  const until = Date.now() + READY_MS
  const noMoreTries = Date.now() + RETRY_MS
  await chmod(dataDir, 0o700)
  for (;;) {
    let ready = false
    const server = await launch({
      command: [runner.binary('postgres'), '-D', dataDir, ...settings],
      cwd: dataDir,
      logFile,
      // INT is a fast shutdown: disconnects clients and writes a checkpoint. QUIT is an immediate shutdown without one.
      stopSignals: ['SIGINT', 'SIGQUIT'],
      orphanSignal: 'QUIT',
      unprivileged: runner.prefix,
      onExit: (exit) => ready && onExit?.(exit),
    })
    if (await becameReady(server, dataDir, until)) {
      ready = true
      return server
    }
    await server.stop()
    if (Date.now() > noMoreTries) throw new Error(await failure(logFile))
  }
}

/**
 * Like pg_ctl: the server writes `ready` into line 8 of postmaster.pid. Returns false when the server has ended and a restart
 * may help.
 */
async function becameReady(server: ServerProcess, dataDir: string, until: number): Promise<boolean> {
  let ended = false
  void server.exited.then(() => (ended = true))
  while (Date.now() < until && !ended) {
    const status = await readStatus(dataDir)
    if (status?.pid === server.pid && status.state === 'ready') return true
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  await new Promise((resolve) => setTimeout(resolve, 500))
  return false
}

async function readStatus(dataDir: string): Promise<{ pid: number; state: string } | undefined> {
  const text = await readFile(join(dataDir, 'postmaster.pid'), 'utf8').catch(() => undefined)
  const lines = text?.split('\n') ?? []
  const pid = Number(lines[0])
  return Number.isInteger(pid) && pid > 1 ? { pid, state: lines[7]?.trim() ?? '' } : undefined
}

async function failure(logFile: string | undefined): Promise<string> {
  const log = logFile === undefined ? '' : await readFile(logFile, 'utf8').catch(() => '')
  const tail = log.trimEnd().split('\n').slice(-5).join('\n')
  return `Postgres did not start. Its last lines${logFile === undefined ? '' : ` (${logFile})`}:\n${tail}\nOr set DATABASE__ADMIN_URL to a Postgres of your own.`
}
