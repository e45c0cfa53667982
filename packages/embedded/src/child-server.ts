import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { open, readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { childrenOf } from './children.ts'

const run = promisify(execFile)

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface ServerProcess {
  readonly pid: number
  /** Resolves when the process has ended, for whatever reason. */
  readonly exited: Promise<Exit>
  /** Sends the signals one after another, `stepMs` apart, until the process has ended; the last is always SIGKILL. */
  stop(stepMs?: number): Promise<void>
}

interface Launch {
  readonly command: readonly [string, ...string[]]
  readonly cwd: string
  readonly logFile: string | undefined
  readonly stopSignals: readonly NodeJS.Signals[]
  /** Sent by the kernel when this process dies, also by kill -9. */
  readonly orphanSignal: 'QUIT' | 'TERM' | 'KILL'
  /** A prefix that runs the command as an ordinary user; it must exec, not fork. */
  readonly unprivileged?: readonly string[]
  readonly onExit?: ((exit: Exit) => void) | undefined
}

const STEP_MS = 4_000

/** Starts a server as a child in its own process group, so that Ctrl+C in a terminal does not end it before its clients. */
export async function launch(options: Launch): Promise<ServerProcess> {
  const { command, cwd, logFile, stopSignals, orphanSignal, unprivileged = [], onExit } = options
  // setpriv comes after `unprivileged`, because the parent-death signal is cleared when credentials change.
  const [file, ...args] = [...unprivileged, ...(await boundToParent(orphanSignal)), ...command]
  const log = logFile === undefined ? undefined : await open(logFile, 'a', 0o600)
  const output = log?.fd ?? ('ignore' as const)
  const child = spawn(file ?? '', args, { cwd, stdio: ['ignore', output, output], detached: true })
  const exited = exitOf(child)
  try {
    await once(child, 'spawn')
  } finally {
    await log?.close()
  }
  const { pid } = child
  if (pid === undefined) throw new Error(`${command[0]} did not start`)
  let stopping = false
  void exited.then((exit) => {
    if (!stopping) onExit?.(exit)
  })
  return {
    pid,
    exited,
    async stop(stepMs = STEP_MS) {
      stopping = true
      await stopInSteps(child, exited, [...stopSignals, 'SIGKILL'], stepMs)
    },
  }
}

async function stopInSteps(
  child: ChildProcess,
  exited: Promise<Exit>,
  signals: readonly NodeJS.Signals[],
  stepMs: number,
): Promise<void> {
  for (const signal of signals) {
    if (child.exitCode !== null || child.signalCode !== null) return
    // A frozen child of a killed Postgres would live on and hold the shared memory that the next one needs.
    const children = signal === 'SIGKILL' ? await childrenOf(child.pid ?? Number.NaN).catch(() => []) : []
    child.kill(signal)
    for (const pid of children) killIfAlive(pid)
    const { promise: late, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, stepMs)
    await Promise.race([exited, late]).finally(() => clearTimeout(timer))
  }
  await exited
}

function exitOf(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }))
    child.once('error', () => resolve({ code: null, signal: null }))
  })
}

/** `setpriv --pdeathsig` where it exists (util-linux; busybox has another setpriv), else nothing. */
async function boundToParent(signal: Launch['orphanSignal']): Promise<string[]> {
  const prefix = ['setpriv', '--pdeathsig', signal]
  return (await succeeds([...prefix, 'true'])) ? [...prefix, '--'] : []
}

export async function succeeds(command: readonly string[]): Promise<boolean> {
  const [file, ...args] = command
  return run(file ?? '', args).then(
    () => true,
    () => false,
  )
}

function killIfAlive(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended.
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

/** The command line of a running process; empty when there is none. */
export async function commandLine(pid: number): Promise<string> {
  if (!isAlive(pid)) return ''
  if (process.platform === 'linux')
    return readFile(`/proc/${pid}/cmdline`, 'utf8').then(
      (line) => line.replaceAll('\0', ' '),
      () => '',
    )
  return run('ps', ['-p', String(pid), '-o', 'command=']).then(
    ({ stdout }) => stdout,
    () => '',
  )
}

/**
 * Ends a server that outlived its supervisor. The caller must hold the lock of the data folder, which proves that no supervisor
 * owns the server.
 */
export async function endOrphan(
  pid: number,
  signals: readonly NodeJS.Signals[],
  isOurs: (commandLine: string) => boolean,
): Promise<void> {
  for (const signal of [...signals, 'SIGKILL'] as const) {
    if (!isOurs(await commandLine(pid))) return
    process.kill(pid, signal)
    for (let waited = 0; waited < STEP_MS && isAlive(pid); waited += 50) await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
