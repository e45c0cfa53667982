import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { open } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { TOOL_CACHE } from '@youworker/embedded/nats-binary'
import { readToSupervisor, type ToProcess } from '@youworker/runtime/process/supervisor-channel'
import { settledWithin } from '@youworker/runtime/timing/settled-within'
import type { PortUser } from './shared-port.ts'
import type { Exit, Running } from './supervised-process.ts'

/** Keeps compiled and type-stripped code between starts, which saves a quarter of the time of a warm start. */
const COMPILED = { NODE_COMPILE_CACHE: join(TOOL_CACHE, 'compiled') }
/** Of each thread, in MB. V8 collects garbage earlier where less is allowed: a third less memory of ingestion while it reads a long text. */
const MOST_HEAP = '--max-old-space-size=1024'
/** From the end of the time to drain to SIGKILL. */
const AFTER_DRAIN_MS = 5_000

export interface NodeProcess {
  readonly script: string
  readonly args?: readonly string[]
  readonly env: NodeJS.ProcessEnv
  readonly logFile: string
  readonly cwd: string
  readonly healthUrl?: string
}

/** Starts a script with this Node. The child ends itself when its IPC channel closes, also after kill -9 of this process. */
export async function startNodeProcess({ script, args = [], env, logFile, cwd, healthUrl }: NodeProcess): Promise<NodeChild> {
  const log = await open(logFile, 'a', 0o600)
  const child = spawn(
    process.execPath,
    [...(env['NODE_OPTIONS']?.includes('--max-old-space-size') ? [] : [MOST_HEAP]), script, ...args],
    {
      cwd,
      env: { ...COMPILED, ...env },
      // A process group of its own: Ctrl+C in a terminal must reach only the supervisor, which stops its children in order.
      detached: true,
      stdio: ['ignore', log.fd, log.fd, 'ipc'],
    },
  )
  const running = new NodeChild(child, healthUrl)
  try {
    await once(child, 'spawn')
  } finally {
    await log.close()
  }
  return running
}

/** A Node process with the IPC channel of `packages/runtime`. */
export class NodeChild implements Running, PortUser {
  readonly exited: Promise<Exit>
  readonly healthUrl: string | undefined
  readonly #child: ChildProcess
  readonly #serves = new Set<string>()
  /** The connection that was handed over and not taken yet: one at a time, so that a busy process gets no more. */
  #handing: { readonly id: number; readonly settle: (taken: boolean) => void } | undefined
  #handed = 0

  constructor(child: ChildProcess, healthUrl: string | undefined) {
    this.#child = child
    this.healthUrl = healthUrl
    this.exited = new Promise<Exit>((resolve) => {
      child.once('exit', (code, signal) => resolve({ code, signal }))
      child.once('error', () => resolve({ code: null, signal: null }))
    })
    void this.exited.then(() => this.#handing?.settle(false))
    child.on('message', (message) => {
      const told = readToSupervisor(message)
      if (told?.type === 'serves') this.#serves.add(told.port)
      if (told?.type === 'taken' && told.id === this.#handing?.id) this.#handing.settle(true)
    })
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  isFreeFor(port: string): boolean {
    return this.#serves.has(port) && this.#handing === undefined && this.#child.connected
  }

  hand(port: string, socket: Socket): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const id = (this.#handed += 1)
    const settle = (taken: boolean) => {
      this.#handing = undefined
      resolve(taken)
    }
    this.#handing = { id, settle }
    // Kept open here until it is taken, to be handed to another process if this one dies first.
    const message: ToProcess = { type: 'connection', port, id }
    this.#child.send(message, socket, { keepOpen: true }, (error) => {
      if (error && this.#handing?.id === id) settle(false)
    })
    return promise
  }

  /** Ends it with what runs; killed after `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    this.#child.kill('SIGINT')
    if (await settledWithin(graceMs, this.exited)) return
    this.#child.kill('SIGKILL')
    await this.exited
  }

  /** Lets it finish what runs for `limitMs`. Resolves when it has ended. */
  async drain(limitMs: number): Promise<void> {
    const message: ToProcess = { type: 'drain', limit_ms: limitMs }
    if (this.#child.connected) this.#child.send(message, () => {})
    if (await settledWithin(limitMs + AFTER_DRAIN_MS, this.exited)) return
    this.#child.kill('SIGKILL')
    await this.exited
  }
}
