import { once } from 'node:events'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { commandLine, endOrphan, type Exit, launch, type ServerProcess } from './child-server.ts'
import { type NatsAccounts, TEAMS_CONF } from '@youworker/contracts/topology/accounts'
import { isAtLeast, probeNatsServer } from './nats-binary.ts'

export { findNatsServer } from './nats-binary.ts'

export interface NatsOptions {
  /** Path from {@link findNatsServer}. */
  readonly binary: string
  /** Folder of nats.conf and the JetStream store. */
  readonly dir: string
  readonly port: number
  readonly accounts: NatsAccounts
  /** Further accounts, which may change while the server runs: {@link changeTeams}. */
  readonly teams?: NatsAccounts | undefined
  readonly logFile?: string | undefined
  /** Called when the server ends without `stop()`. */
  readonly onExit?: ((exit: Exit) => void) | undefined
}

export interface EmbeddedNats extends AsyncDisposable {
  /** Without credentials. */
  readonly url: string
  readonly port: number
  readonly pid: number
  readonly exited: Promise<Exit>
  /** `stepMs`: pause between two signals. */
  stop(stepMs?: number): Promise<void>
}

const READY_MS = 20_000

/** Starts a nats-server with JetStream on 127.0.0.1, on an existing store if there is one. */
export async function startNats(options: NatsOptions): Promise<EmbeddedNats> {
  const { binary, dir, port, logFile, onExit } = options
  const probed = await probeNatsServer(binary)
  if (!probed) throw new Error(`${binary} is not a usable nats-server`)
  const config = join(dir, 'nats.conf')
  const name = `youworker-${crypto.randomUUID()}`
  await mkdir(dir, { recursive: true, mode: 0o700 })
  await endPrevious(dir)
  await writePrivate(join(dir, TEAMS_CONF), JSON.stringify(options.teams ?? {}))
  await writePrivate(config, natsConfig(options, probed.version, name))
  let ready = false
  const server = await launch({
    command: [binary, '-c', config],
    cwd: dir,
    logFile,
    stopSignals: ['SIGTERM'],
    orphanSignal: 'TERM',
    onExit: (exit) => ready && onExit?.(exit),
  })
  await untilReady(server, port, name, logFile)
  ready = true
  return {
    url: `nats://127.0.0.1:${port}`,
    port,
    pid: server.pid,
    exited: server.exited,
    stop: (stepMs) => server.stop(stepMs),
    [Symbol.asyncDispose]: () => server.stop(),
  }
}

/** Replaces the accounts of teams of the server that runs on this folder. Returns whether one runs, which then has taken them. */
export async function changeTeams(dir: string, teams: NatsAccounts): Promise<boolean> {
  await writePrivate(join(dir, TEAMS_CONF), JSON.stringify(teams))
  const pid = await readPid(dir)
  // The file outlives a server that was killed, and its number may belong to another process then.
  if (pid === undefined || !isOf(dir)(await commandLine(pid))) return false
  process.kill(pid, 'SIGHUP')
  return true
}

/** The configuration file. Names and secrets are quoted, because `$` outside quotes starts a variable. */
export function natsConfig(
  { dir, port, accounts }: Pick<NatsOptions, 'dir' | 'port' | 'accounts'>,
  version: string,
  name: string,
): string {
  // Older servers refuse this setting. They flush to disk every two minutes; the relay publishes lost events again.
  const sync = isAtLeast(version, [2, 10, 0]) ? '  sync_interval: always\n' : ''
  return `# Written at every start.
server_name: ${JSON.stringify(name)}
host: "127.0.0.1"
port: ${port}
pid_file: ${JSON.stringify(join(dir, 'nats.pid'))}
max_payload: 1MB
jetstream {
  store_dir: ${JSON.stringify(dir)}
  max_memory_store: 256MB
  # By default three quarters of what is free now, which a start on a nearly full disk would keep for good.
  max_file_store: 1TB
${sync}}
accounts {
${renderAccounts(accounts)}
  include ./${TEAMS_CONF}
}
`
}

const renderAccounts = (accounts: NatsAccounts): string =>
  Object.entries(accounts)
    .map(([account, content]) => `  ${JSON.stringify(account)}: ${JSON.stringify(content, undefined, 2)}`)
    .join('\n')

async function writePrivate(file: string, content: string): Promise<void> {
  await writeFile(file, content, { mode: 0o600 })
  await chmod(file, 0o600)
}

const isOf = (dir: string) => (line: string) => line.includes(join(dir, 'nats.conf'))

async function readPid(dir: string): Promise<number | undefined> {
  const pid = Number(await readFile(join(dir, 'nats.pid'), 'utf8').catch(() => ''))
  return pid > 1 ? pid : undefined
}

async function endPrevious(dir: string): Promise<void> {
  const pid = await readPid(dir)
  if (pid !== undefined) await endOrphan(pid, ['SIGTERM'], isOf(dir))
}

async function untilReady(server: ServerProcess, port: number, name: string, logFile: string | undefined): Promise<void> {
  let ended = false
  void server.exited.then(() => (ended = true))
  const until = Date.now() + READY_MS
  while (!ended && Date.now() < until) {
    // The name in the greeting distinguishes this server from another one on the same port.
    if ((await greeting(port)).includes(name)) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  await server.stop()
  const log = logFile === undefined ? '' : await readFile(logFile, 'utf8').catch(() => '')
  throw new Error(`nats-server did not start. Its last lines:\n${log.trimEnd().split('\n').slice(-5).join('\n')}`)
}

async function greeting(port: number): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1' })
  socket.setTimeout(1_000, () => socket.destroy(new Error('no greeting')))
  try {
    const [first] = (await once(socket, 'data')) as [Buffer]
    return first.toString()
  } catch {
    return ''
  } finally {
    socket.destroy()
  }
}
