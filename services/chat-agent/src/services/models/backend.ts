import type { ModelBackend } from '@youworker/contracts/agent/model-backends'
import type { ModelBackendRow } from '@youworker/database/owners/chat-agent/tables'
import { detached } from '@youworker/runtime/current-request'
import { ModelError } from '@youworker/runtime/model-error'
import { LRUCache } from 'lru-cache'
import { BackendHealth } from './backend-health.ts'
import { FairQueue } from './fair-queue.ts'
import type { ModelCall, ModelChunk, ModelInfo, ModelServerPort } from './model-port.ts'

/** What a model server is, with its key. */
export interface BackendSpec extends Pick<
  ModelBackendRow,
  'id' | 'name' | 'protocol' | 'base_url' | 'source' | 'enabled' | 'concurrency' | 'priority'
> {
  readonly apiKey: string | undefined
}

/** Connects with the server of a spec. */
export type Connect = (spec: BackendSpec) => ModelServerPort

/** Most calls of one model at the same time where neither the backend nor its server says a figure. */
const CONCURRENCY = {
  /** OLLAMA_NUM_PARALLEL's own default: what Ollama gets beyond it waits there, silently. */
  ollama: 1,
  /** Such servers batch what comes, as far as they have memory. */
  openai: 256,
} as const

const KNOWN_MODELS = 1_000
/** What is known of a model is used so long, and asked anew meanwhile once it is older than `fresh`. */
const KNOWN_MS = { fresh: 60_000, most: 600_000 } as const
/** How long a server that lacks a model is not asked again for it, where another one has it. */
const LACKING_MS = 10_000
const DESCRIBE_MS = 10_000

/** One model server, with what this process knows of it and the calls that it makes there. */
export class Backend {
  readonly port: ModelServerPort
  readonly health = new BackendHealth()
  #spec: BackendSpec
  readonly #queues = new Map<string, FairQueue>()
  readonly #known = new LRUCache<string, Known>({ max: KNOWN_MODELS, ttl: KNOWN_MS.most })
  readonly #lacking = new LRUCache<string, true>({ max: KNOWN_MODELS, ttl: LACKING_MS })
  readonly #asked = new Map<string, Promise<ModelInfo>>()

  constructor(spec: BackendSpec, connect: Connect) {
    this.#spec = spec
    this.port = connect(spec)
  }

  get spec(): BackendSpec {
    return this.#spec
  }

  /** The same server with other settings of ours. */
  set spec(spec: BackendSpec) {
    this.#spec = spec
    for (const [model, queue] of this.#queues) queue.limit = this.#limitOf(this.known(model))
  }

  /** What is known of a model without asking. */
  known(model: string): ModelInfo | undefined {
    return this.#known.get(model)?.info
  }

  /** It was asked a moment ago and does not have the model. */
  lacks(model: string): boolean {
    return this.#lacking.has(model)
  }

  /** It may have got the model, or another one of this name. */
  forget(model: string): void {
    this.#known.delete(model)
    this.#lacking.delete(model)
  }

  /** Asks about a model when nothing, or nothing new, is known of it. Nobody waits for it. */
  refresh(model: string): void {
    const known = this.#known.get(model)
    const isFresh = known !== undefined && performance.now() - known.at < KNOWN_MS.fresh
    if (!isFresh && !this.lacks(model)) this.#asking(model).catch(() => {})
  }

  async describe(model: string): Promise<ModelInfo> {
    const known = this.known(model)
    if (!known) return this.#asking(model)
    this.refresh(model)
    return known
  }

  /** All who ask at the same time wait for one answer. */
  #asking(model: string): Promise<ModelInfo> {
    const asked = this.#asked.get(model)
    if (asked) return asked
    const asking = detached(() => this.#describe(model)).finally(() => this.#asked.delete(model))
    this.#asked.set(model, asking)
    return asking
  }

  async #describe(model: string): Promise<ModelInfo> {
    try {
      const info = await this.port.describe(model, AbortSignal.timeout(DESCRIBE_MS))
      this.health.succeeded()
      this.#known.set(model, { info, at: performance.now() })
      this.#lacking.delete(model)
      return info
    } catch (error) {
      this.#failed(model, error)
      throw error
    }
  }

  #failed(model: string, error: unknown): void {
    this.health.failed(error)
    if (!(error instanceof ModelError) || error.failure !== 'unknown_model') return
    this.#lacking.set(model, true)
    this.#known.delete(model)
  }

  get report(): ModelBackend['health'] {
    const queues = [...this.#queues.values()]
    const sum = (of: 'running' | 'waiting') => queues.reduce((all, queue) => all + queue[of], 0)
    return { ...this.health.report, running: sum('running'), waiting: sum('waiting') }
  }

  /** How busy it is with a model: from 1 on, a call has to wait. */
  load(model: string): number {
    return this.#queues.get(model)?.load ?? 0
  }

  /**
   * Waits for the turn of the call, and asks. Resolves with the first part of the answer that says something, and the rest; whoever gets it
   * reads it to its end or returns it.
   */
  async ask(call: ModelCall, info: ModelInfo): Promise<Begun> {
    const { name } = info
    const queue = this.#queueOf(info)
    call.onAsked?.(this.#spec.name)
    await queue.enter(call)
    const onEnd = () => {
      queue.leave()
      if (queue.isIdle) this.#queues.delete(name)
    }
    const model = { ...info, context: Math.min(info.context, call.model.context) }
    const rest = this.port.chat({ ...call, model, onEnd })
    try {
      for (;;) {
        const first = await rest.next()
        this.health.succeeded()
        if (first.done || saysSomething(first.value)) return { first, rest }
      }
    } catch (error) {
      this.#failed(name, error)
      throw error
    }
  }

  async check(): Promise<void> {
    try {
      this.health.listed(await this.port.check())
    } catch (error) {
      this.health.checkFailed(error)
      throw error
    }
  }

  /** No longer to be used: what waits for it goes elsewhere. */
  close(): void {
    for (const queue of this.#queues.values()) queue.close()
    this.port.close()
  }

  #queueOf(info: ModelInfo): FairQueue {
    const found = this.#queues.get(info.name)
    if (found) return found
    const queue = new FairQueue(this.#limitOf(info))
    this.#queues.set(info.name, queue)
    return queue
  }

  #limitOf(info: ModelInfo | undefined): number {
    const { concurrency, protocol } = this.#spec
    return concurrency ?? info?.parallel ?? CONCURRENCY[protocol]
  }
}

interface Known {
  readonly info: ModelInfo
  readonly at: number
}

interface Begun {
  readonly first: IteratorResult<ModelChunk>
  readonly rest: AsyncGenerator<ModelChunk>
}

const saysSomething = ({ text, thinking, tool_calls, finish, usage }: ModelChunk): boolean =>
  text !== '' || thinking !== '' || tool_calls.length > 0 || finish !== undefined || usage !== undefined
