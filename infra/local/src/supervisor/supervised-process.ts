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
  /** Asks it to end and kills it after `graceMs`. Resolves when it has ended. */
  stop(graceMs: number): Promise<void>
}

export interface ProcessSpec {
  readonly name: string
  /** A URL that returns 200 when the process is ready. Without it there is no readiness check. */
  readonly healthUrl?: string | undefined
  /** The URL at which other processes reach it; listed in endpoints.json. */
  readonly url?: string | undefined
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
  /** Ends the wait before the next start. */
  #hurry = new AbortController()
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

  get pid(): number | undefined {
    return this.#running?.pid
  }

  get upMs(): number {
    return this.#running ? Date.now() - this.#upSince : 0
  }

  /** Resolves when the process has been launched. Rejects when this first launch fails; later failures are retried. */
  async start(): Promise<void> {
    const first = await this.#launch()
    this.#loop = this.#keepUp(first)
  }

  /** Ends the process. The supervision loop starts it again without a delay. */
  async restart(graceMs: number): Promise<void> {
    this.#restartAsked = this.#running !== undefined
    this.#hurry.abort()
    await this.#running?.stop(graceMs)
  }

  async stop(graceMs: number): Promise<void> {
    this.#stop.abort()
    await this.#running?.stop(graceMs)
    await this.#loop
  }

  async #launch(): Promise<Running> {
    const running = await this.spec.launch()
    this.#running = running
    this.#upSince = Date.now()
    this.starts++
    this.#options.onPid?.()
    return running
  }

  async #keepUp(first: Running): Promise<void> {
    let running: Running | undefined = first
    let delay = FIRST_DELAY_MS
    while (!this.#stop.signal.aborted) {
      const why: string = running ? await this.#untilDeath(running) : 'could not be started'
      if (this.#stop.signal.aborted) return
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
      running = await this.#launch().catch((error: unknown) => {
        this.#options.print(`${this.spec.name}: ${error instanceof Error ? error.message : String(error)}`)
        return undefined
      })
      // A `stop` during the launch had no process to end yet.
      if (this.#stop.signal.aborted) await running?.stop(LONGEST_DELAY_MS)
    }
  }

  async #untilDeath(running: Running): Promise<string> {
    const exit = await running.exited
    this.#running = undefined
    this.lastExit = exit
    this.deaths++
    return exit.signal ? `was ended by ${exit.signal}` : `ended with code ${exit.code}`
  }
}
