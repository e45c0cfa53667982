import { setTimeout as sleep } from 'node:timers/promises'
import type { Print } from '../print.ts'

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** A started process: a Node child, Postgres or NATS. */
export interface Running {
  readonly pid: number
  readonly exited: Promise<Exit>
  /** A URL that returns 200 when the process is ready. Without it there is no readiness check. */
  readonly healthUrl?: string | undefined
  /** Asks it to end and kills it after `graceMs`. Resolves when it has ended. */
  stop(graceMs: number): Promise<void>
  /** Lets it finish what runs, then ends it. Resolves when it has ended. */
  drain?(limitMs: number): Promise<void>
}

export interface ProcessSpec {
  readonly name: string
  /** The URL at which other processes reach it; listed in endpoints.json. */
  readonly url?: string | undefined
  /** A second one may run beside it, and the first then has so long to finish what runs. */
  readonly drainMs?: number | undefined
  launch(): Promise<Running>
}

const FIRST_DELAY_MS = 500
const LONGEST_DELAY_MS = 10_000
/** A process that was up this long counts as healthy: its next restart delay is the first one again. */
const SETTLED_MS = 30_000

export interface SupervisedOptions {
  readonly print: Print
  /** Called after each start, when the pid is new. */
  readonly onPid?: (() => void) | undefined
}

/** Keeps one process running. Restarts it after 0.5 s, doubling to 10 s at each further exit, and after 0.5 s again once it was up 30 s. */
export class SupervisedProcess {
  readonly spec: ProcessSpec
  readonly #options: SupervisedOptions
  readonly #stop = new AbortController()
  /** Processes beside the running one: one that is to replace it, and those that finish their work. */
  readonly #others = new Set<Running>()
  /** Ends the wait before the next start. */
  #hurry = new AbortController()
  #replaced = Promise.withResolvers<void>()
  #loop: Promise<void> | undefined
  #running: Running | undefined
  #restartAsked = false
  #upSince = 0
  /** Exits since it was last up for 30 s. */
  deaths = 0
  starts = 0
  lastExit: Exit | undefined

  constructor(spec: ProcessSpec, options: SupervisedOptions) {
    this.spec = spec
    this.#options = options
  }

  get running(): Running | undefined {
    return this.#running
  }

  get pid(): number | undefined {
    return this.#running?.pid
  }

  get healthUrl(): string | undefined {
    return this.#running?.healthUrl
  }

  /** Processes of this name that a newer one has replaced and that finish their work, or that are about to replace it. */
  get otherPids(): number[] {
    return [...this.#others].map(({ pid }) => pid)
  }

  get upMs(): number {
    return this.#running ? Date.now() - this.#upSince : 0
  }

  /** Resolves when the process has been launched. Rejects when this first launch fails; later failures are retried. */
  async start(): Promise<void> {
    await this.#launch()
    this.#loop = this.#keepUp()
  }

  /** Ends the process. The supervision loop starts it again without a delay. */
  async restart(graceMs: number): Promise<void> {
    this.#restartAsked = this.#running !== undefined
    this.#hurry.abort()
    await this.#running?.stop(graceMs)
  }

  /**
   * Starts another process beside the running one and puts it in its place when `untilReady` resolves; when that rejects, the
   * running one stays and the new one is stopped. Returns the replaced one, which nobody has told to end yet.
   */
  async replace(untilReady: (fresh: Running) => Promise<void>): Promise<Running | undefined> {
    const fresh = await this.spec.launch()
    this.#others.add(fresh)
    try {
      this.#stop.signal.throwIfAborted()
      await untilReady(fresh)
      this.#stop.signal.throwIfAborted()
    } catch (error) {
      await fresh.stop(LONGEST_DELAY_MS)
      throw error
    } finally {
      this.#others.delete(fresh)
    }
    const before = this.#running
    this.#adopt(fresh)
    return before
  }

  /** Lets a process that was replaced finish what runs. Resolves when it has ended. */
  async drain(running: Running): Promise<void> {
    const limitMs = this.spec.drainMs ?? 0
    this.#others.add(running)
    await (running.drain ? running.drain(limitMs) : running.stop(limitMs))
    this.#others.delete(running)
  }

  /** As `stop`, but the process may finish what runs. */
  async retire(): Promise<void> {
    this.#stop.abort()
    if (this.#running) await this.drain(this.#running)
    await this.#loop
  }

  async stop(graceMs: number): Promise<void> {
    this.#stop.abort()
    const all = new Set([...this.#others, ...(this.#running ? [this.#running] : [])])
    await Promise.all([...all].map((running) => running.stop(graceMs)))
    await this.#loop
  }

  async #launch(): Promise<void> {
    const launched = await this.spec.launch()
    // A replacement became ready meanwhile.
    if (this.#running) return launched.stop(LONGEST_DELAY_MS)
    this.#adopt(launched)
  }

  #adopt(running: Running): void {
    this.#running = running
    this.#upSince = Date.now()
    this.starts++
    this.#hurry.abort()
    this.#replaced.resolve()
    this.#replaced = Promise.withResolvers()
    this.#options.onPid?.()
  }

  async #keepUp(): Promise<void> {
    let delay = FIRST_DELAY_MS
    while (!this.#stop.signal.aborted) {
      const running = this.#running
      const why = running ? await this.#untilDeath(running) : 'could not be started'
      if (this.#stop.signal.aborted) return
      if (why === undefined) continue
      if (running && Date.now() - this.#upSince >= SETTLED_MS) {
        delay = FIRST_DELAY_MS
        this.deaths = 1
      }
      if (this.#restartAsked) this.#options.print(`${this.spec.name}: restarting as asked`)
      else {
        this.#options.print(`${this.spec.name} ${why}; starting it again in ${delay / 1000} s`)
        this.#hurry = new AbortController()
        await sleep(delay, undefined, { signal: AbortSignal.any([this.#stop.signal, this.#hurry.signal]) }).catch(() => {})
        delay = Math.min(delay * 2, LONGEST_DELAY_MS)
      }
      this.#restartAsked = false
      if (this.#stop.signal.aborted) return
      if (this.#running) continue
      await this.#launch().catch((error: unknown) => {
        this.#options.print(`${this.spec.name}: ${error instanceof Error ? error.message : String(error)}`)
      })
      // A `stop` during the launch had no process to end yet.
      if (this.#stop.signal.aborted) await this.running?.stop(LONGEST_DELAY_MS)
    }
  }

  /** Resolves to why it ended, or to nothing when another process has replaced it. */
  async #untilDeath(running: Running): Promise<string | undefined> {
    const exit = await Promise.race([running.exited, this.#replaced.promise])
    if (!exit || this.#running !== running) return undefined
    this.#running = undefined
    this.lastExit = exit
    this.deaths++
    return exit.signal ? `was ended by ${exit.signal}` : `ended with code ${exit.code}`
  }
}
