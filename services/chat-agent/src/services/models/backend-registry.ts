import type { ModelBackend } from '@youworker/contracts/agent/model-backends'
import type { Logger } from '@youworker/runtime/logger'
import { createLoop } from '@youworker/runtime/timing/loop'
import { Backend, type BackendSpec, type Connect } from './backend.ts'
import type { BackendSpecs } from './backend-specs.ts'

interface RegistryOptions {
  readonly specs: BackendSpecs
  readonly connect: Connect
  readonly logger: Logger
}

/** Pause between two readings of the rows, for changes whose message was lost. */
const READ_MS = 5_000
/** Pause between two checks of a server that answers, and of one that does not. */
const CHECK_MS = { up: 30_000, down: 5_000 } as const
const UNCHECKED: ModelBackend['health'] = { status: 'unknown', since: null, error: null, models: [], running: 0, waiting: 0 }

/** The model servers as rows say, in memory: a call of a model reads no row. */
export class BackendRegistry {
  readonly #options: RegistryOptions
  #backends: readonly Backend[]
  #isStored = false
  /** One after the other, so that what was read last counts. */
  #reading: Promise<void> = Promise.resolve()
  readonly #checkedAt = new WeakMap<Backend, number>()

  constructor(options: RegistryOptions) {
    this.#options = options
    this.#backends = options.specs.initial().map((spec) => new Backend(spec, options.connect))
  }

  /** Those in use. */
  get enabled(): readonly Backend[] {
    return this.#backends.filter(({ spec }) => spec.enabled)
  }

  healthOf(id: string): ModelBackend['health'] {
    return this.#backends.find(({ spec }) => spec.id === id)?.report ?? UNCHECKED
  }

  /** Reads the rows as they are from now on. */
  read(): Promise<void> {
    const reading = this.#reading.then(() => this.#read())
    this.#reading = reading.catch(() => {})
    return reading
  }

  async #read(): Promise<void> {
    const { specs, logger } = this.#options
    if (!this.#isStored) await specs.store()
    this.#isStored = true
    this.#use(
      await specs.read((name, error) =>
        logger.error({ err: error, backend: name }, 'the key of a model server does not open; it is asked without'),
      ),
    )
  }

  /** Resolves when the server has been checked. */
  async check(id: string): Promise<void> {
    const backend = this.enabled.find(({ spec }) => spec.id === id)
    if (backend) await this.#check(backend)
  }

  /** Reads and checks until disposed. `nudge`: rows were changed. */
  start(): AsyncDisposable & { nudge(): void } {
    const loop = createLoop(async () => {
      await this.read().catch((error: unknown) =>
        this.#options.logger.warn({ err: error }, 'the model servers could not be read; those known are used'),
      )
      const due = this.enabled.filter((backend) => this.#isDue(backend))
      // A slow one must not keep a changed row from being read.
      for (const backend of due) void this.#check(backend)
      return READ_MS * (0.75 + Math.random() / 2)
    })
    return { nudge: loop.nudge, [Symbol.asyncDispose]: loop.stop }
  }

  #isDue(backend: Backend): boolean {
    const since = performance.now() - (this.#checkedAt.get(backend) ?? Number.NEGATIVE_INFINITY)
    return since >= (backend.health.isDown ? CHECK_MS.down : CHECK_MS.up) * 0.75
  }

  async #check(backend: Backend): Promise<void> {
    this.#checkedAt.set(backend, performance.now())
    // It is told by its health.
    await backend.check().catch(() => {})
  }

  #use(specs: readonly BackendSpec[]): void {
    const before = this.#backends
    this.#backends = specs.map((spec) => {
      const same = before.find((backend) => isSameServer(backend.spec, spec))
      if (!same) return new Backend(spec, this.#options.connect)
      same.spec = spec
      return same
    })
    for (const backend of before) if (!this.#backends.includes(backend) || !backend.spec.enabled) backend.close()
  }
}

/** Also of the same backend before its row was read, which has another id. */
const isSameServer = (one: BackendSpec, other: BackendSpec): boolean =>
  one.name === other.name &&
  one.source === other.source &&
  one.protocol === other.protocol &&
  one.base_url === other.base_url &&
  one.apiKey === other.apiKey
