import type { ComponentHealth } from '@youworker/contracts/health'
import { before } from '../timing/deadline.ts'
import { createLoop, type Loop } from '../timing/loop.ts'
import { type HealthCheck, reportHealth } from './health-report.ts'

/** Pause between the starts of two rounds. */
const EVERY_MS = 750
/** While it is not ready, so that its return is seen soon. */
const AGAIN_MS = 200
const CHECK_MS = 1_500
/** One slow round on a busy machine says nothing. With these numbers a frozen dependency is noticed within 4 s. */
const FAILURES = 2
const STOPPING: ComponentHealth = { name: 'process', status: 'down', latency_ms: 0, message: 'the process is stopping' }

/** What is known about other processes at this moment. */
export interface Neighbours {
  components(): readonly ComponentHealth[]
}

/**
 * Whether a process can do its work: its checks run in rounds in the background, so that asking costs nothing and any number may
 * ask.
 */
export class Readiness implements AsyncDisposable {
  readonly checks: Readonly<Record<string, HealthCheck>>
  readonly #neighbours: Neighbours | undefined
  readonly #listeners = new Set<() => void>()
  readonly #loop: Loop
  #passes = false
  #isStopping = false
  #failures = 0
  #components: readonly ComponentHealth[] = []

  constructor(checks: Readonly<Record<string, HealthCheck>>, neighbours?: Neighbours) {
    this.checks = checks
    this.#neighbours = neighbours
    this.#loop = createLoop(() => this.#round())
  }

  /** False until all checks have passed once. */
  get isReady(): boolean {
    return this.#passes && !this.#isStopping && !this.#neighbours?.components().some(isDown)
  }

  /** As of the last round; empty before the first. */
  get components(): readonly ComponentHealth[] {
    return [...(this.#isStopping ? [STOPPING] : []), ...this.#components, ...(this.#neighbours?.components() ?? [])]
  }

  /** Calls `listener` after each round. It must not throw. */
  onRound(listener: () => void): Disposable {
    const entry = () => listener()
    this.#listeners.add(entry)
    return { [Symbol.dispose]: () => void this.#listeners.delete(entry) }
  }

  /** Not ready from now on, whatever the checks say: the process is about to end. */
  stop(): void {
    this.#isStopping = true
    for (const listener of this.#listeners) listener()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#passes = false
    await this.#loop.stop()
  }

  async #round(): Promise<number> {
    const began = performance.now()
    this.#components = await before(Date.now() + CHECK_MS, () => reportHealth(this.checks, CHECK_MS))
    this.#failures = this.#components.some(isDown) ? this.#failures + 1 : 0
    if (this.#failures === 0) this.#passes = true
    else if (this.#failures >= FAILURES) this.#passes = false
    for (const listener of this.#listeners) listener()
    return Math.max(0, (this.#passes ? EVERY_MS : AGAIN_MS) - (performance.now() - began))
  }
}

const isDown = ({ status }: ComponentHealth): boolean => status === 'down'
