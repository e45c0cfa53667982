import type { Model } from '@youworker/contracts/agent/model'
import { ModelError } from '@youworker/runtime/model-error'
import type { ModelChunk, ModelInfo, ModelPort, ModelRequest } from './model-port.ts'

interface Backend extends ModelPort {
  /** Resolves when it answers. */
  check(): Promise<void>
}

/** Several model servers as one. A model is asked of the first of them that has it; the default is the first one's. */
export class ModelBackends implements Backend {
  readonly #backends: readonly Backend[]
  readonly #backendOf = new WeakMap<ModelInfo, Backend>()

  constructor(backends: readonly Backend[]) {
    this.#backends = backends
  }

  async describe(name: string | null, signal: AbortSignal): Promise<ModelInfo> {
    const failures: unknown[] = []
    for (const backend of this.#backends) {
      try {
        const info = await backend.describe(name, signal)
        this.#backendOf.set(info, backend)
        return info
      } catch (error) {
        signal.throwIfAborted()
        // Another server's default is another model, which nobody has chosen.
        if (name === null && !isUnknown(error)) throw error
        failures.push(error)
      }
    }
    // One that does not answer may have it.
    throw failures.find((error) => !isUnknown(error)) ?? failures[0]
  }

  chat(request: ModelRequest): AsyncIterable<ModelChunk> {
    const backend = this.#backendOf.get(request.model)
    if (!backend) throw new ModelError('unknown_model', 'This model is not there; choose another one.')
    return backend.chat(request)
  }

  /** Of those that answer; rejects when none does. */
  async list(signal: AbortSignal): Promise<Model[]> {
    const lists = await allOrFirstFailure(this.#backends.map((backend) => backend.list(signal)))
    const seen = new Set<string>()
    return lists.flat().filter(({ id }) => !seen.has(id) && seen.add(id))
  }

  async check(): Promise<void> {
    await allOrFirstFailure(this.#backends.map((backend) => backend.check()))
  }
}

const isUnknown = (error: unknown): boolean => error instanceof ModelError && error.failure === 'unknown_model'

/** The results of those that succeed. Rejects when none does. */
async function allOrFirstFailure<T>(work: readonly Promise<T>[]): Promise<T[]> {
  const settled = await Promise.allSettled(work)
  const results = settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  const [first] = settled.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []))
  if (results.length === 0 && first !== undefined) throw first
  return results
}
