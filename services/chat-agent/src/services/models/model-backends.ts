import type { Model } from '@youworker/contracts/agent/model'
import { ModelError } from '@youworker/runtime/model-error'
import { settledWithin } from '@youworker/runtime/timing/settled-within'
import type { Backend } from './backend.ts'
import type { KnownModel, ModelCall, ModelChunk, ModelInfo, ModelPort } from './model-port.ts'

interface BackendsOptions {
  /** Those in use, in the order in which they are asked for a default. */
  readonly backends: () => readonly Backend[]
  /** Name of the default model; without it, the one that the first backend would use itself. */
  readonly defaultModel: string | undefined
}

/** How long a list waits for a server. */
const LIST_MS = 2_500
/** How long a run waits to hear from the other servers about its model, once one has it. */
const OTHERS_MS = 300
/** How long a call that failed at one server waits to hear which other one has its model. */
const ELSEWHERE_MS = 3_000
const NOWHERE =
  'No model server that answers has this model, and another one does not answer; choose another model, or try again.'
const NONE = 'There is no model server; root adds one with POST /v1/admin/models/backends.'

/** Several model servers as one: a call goes to the least busy one that has the model and answers, and if that fails, to another one. */
export class ModelBackends implements ModelPort {
  readonly #options: BackendsOptions
  /** The default of a server that may be away by now. */
  readonly #defaults = new WeakMap<Backend, string>()

  constructor(options: BackendsOptions) {
    this.#options = options
  }

  async describe(wanted: string | null, signal: AbortSignal): Promise<ModelInfo> {
    const backends = this.#options.backends()
    const name = wanted ?? this.#options.defaultModel ?? (await this.#defaultOf(backends, signal))
    const up = backends.filter(({ health }) => !health.isDown)
    const known = infosOf(up, name)
    for (const backend of known.length > 0 ? up : []) backend.refresh(name)
    return known.length > 0 ? common(known) : atOnce(this.#ask(backends, name), signal)
  }

  known(wanted: string | null): KnownModel | undefined {
    const backends = this.#options.backends()
    const defaults = backends.flatMap((backend) => this.#defaults.get(backend) ?? [])
    const name = wanted ?? this.#options.defaultModel ?? defaults[0]
    const having = name === undefined ? [] : backends.flatMap((backend) => backendWith(backend, name))
    if (having.length === 0) return undefined
    const { name: found, tools, vision, context, thinking } = common(having.map(({ info }) => info))
    const servers = having.map(({ backend, info }) => `${backend.spec.name} ${backend.spec.base_url} ${info.version ?? ''}`)
    return { name: found, tools, vision, context, thinking, servers }
  }

  /** Nobody is known to have the model. One that does not answer must not keep those waiting that do. */
  async #ask(backends: readonly Backend[], name: string): Promise<ModelInfo> {
    const asked = backends.map((backend) => backend.describe(name))
    const first = await firstOf(asked)
    await settledWithin(OTHERS_MS, Promise.allSettled(asked))
    const known = infosOf(backends, name)
    return known.length > 0 ? common(known) : first
  }

  chat(call: ModelCall): AsyncIterable<ModelChunk> {
    let rest: AsyncGenerator<ModelChunk> | undefined
    const begin = async () => {
      const begun = await this.#begin(call)
      rest = begun.rest
      return begun.first
    }
    // The rest of the answer comes without a step between.
    return {
      [Symbol.asyncIterator]: () => ({
        next: () => rest?.next() ?? begin(),
        return: async () => (await rest?.return(undefined)) ?? { done: true, value: undefined },
      }),
    }
  }

  /** Of those that answer; rejects when none does. */
  async list(signal: AbortSignal): Promise<Model[]> {
    const all = this.#options.backends()
    const up = all.filter(({ health }) => !health.isDown)
    const asked = AbortSignal.any([signal, AbortSignal.timeout(LIST_MS)])
    const lists = await allOrFirstFailure((up.length > 0 ? up : all).map(({ port }) => port.list(asked)))
    const seen = new Set<string>()
    return lists.flat().filter(({ id }) => !seen.has(id) && seen.add(id))
  }

  /** Resolves when one of them answers. */
  async check(): Promise<void> {
    await firstOf(this.#options.backends().map((backend) => backend.check()))
  }

  /** Another server's default is another model, which nobody has chosen: only one that has none is passed over. */
  async #defaultOf(backends: readonly Backend[], signal: AbortSignal): Promise<string> {
    let failure: unknown = new ModelError('unknown_model', NONE)
    for (const backend of backends) {
      const known = this.#defaults.get(backend)
      if (known !== undefined && (backend.known(known) || backend.health.isDown)) return known
      try {
        const name = await backend.port.defaultModel(signal)
        this.#defaults.set(backend, name)
        return name
      } catch (error) {
        signal.throwIfAborted()
        if (!isUnknown(error)) throw error
        failure = error
      }
    }
    throw failure
  }

  async #begin(call: ModelCall): ReturnType<Backend['ask']> {
    const tried = new Set<Backend>()
    let failure = new ModelError('unknown_model', 'This model is not there; choose another one.')
    for (;;) {
      const [next] = await this.#candidates(call, tried)
      if (!next) throw failure
      const [backend, info] = next
      tried.add(backend)
      try {
        return await backend.ask(call, info)
      } catch (error) {
        call.signal.throwIfAborted()
        if (!(error instanceof ModelError)) throw error
        if (tried.size === 1 || weight(error) > weight(failure)) failure = error
      }
    }
  }

  /** Those that have the model, the best one first. */
  async #candidates({ model: { name }, signal }: ModelCall, tried: ReadonlySet<Backend>): Promise<[Backend, ModelInfo][]> {
    const left = this.#options.backends().filter((backend) => !tried.has(backend))
    const up = left.filter(({ health }) => !health.isDown)
    // Only now is it worth waiting for.
    const isAnyKnown = up.some((backend) => backend.known(name))
    if (!isAnyKnown && left.length > 0) {
      const asked = (up.length > 0 ? up : left).filter((backend) => !backend.lacks(name)).map((backend) => backend.describe(name))
      await atOnce(settledWithin(ELSEWHERE_MS, Promise.allSettled(asked)), signal)
    }
    const having = left.flatMap((backend): [Backend, ModelInfo][] => {
      const info = backend.known(name)
      return info ? [[backend, info]] : []
    })
    const rank = (one: Backend, other: Backend) =>
      Number(one.health.isDown) - Number(other.health.isDown) ||
      other.spec.priority - one.spec.priority ||
      one.load(name) - other.load(name)
    return having.toSorted(([one], [other]) => rank(one, other))
  }
}

/** What holds wherever the call goes. */
function common([first, ...others]: readonly ModelInfo[]): ModelInfo {
  if (!first) throw new TypeError('no model')
  return others.reduce(
    (one, other) => ({
      ...one,
      tools: one.tools && other.tools,
      vision: one.vision === false || other.vision === false ? false : one.vision,
      context: Math.min(one.context, other.context),
    }),
    first,
  )
}

/** Of several failures, which one counts: who answers says more than who does not, and who does not answer may yet. */
const weight = ({ failure }: ModelError): number => (failure === 'unknown_model' ? 0 : failure === 'away' ? 1 : 2)

function backendWith(backend: Backend, name: string): { backend: Backend; info: ModelInfo }[] {
  const info = backend.known(name)
  return info ? [{ backend, info }] : []
}

const isUnknown = (error: unknown): boolean => error instanceof ModelError && error.failure === 'unknown_model'

const infosOf = (backends: readonly Backend[], name: string): ModelInfo[] =>
  backends.flatMap((backend) => backend.known(name) ?? [])

/** The first success. When there is none: one that does not answer may have the model. */
async function firstOf<T>(work: readonly Promise<T>[]): Promise<T> {
  try {
    return await Promise.any(work)
  } catch (error) {
    const failures: unknown[] = error instanceof AggregateError ? error.errors : [error]
    const other = failures.find((failure) => !isUnknown(failure))
    if (other instanceof ModelError && failures.some(isUnknown)) throw new ModelError(other.failure, NOWHERE, other, other.said)
    throw other ?? failures[0] ?? new ModelError('unknown_model', NONE)
  }
}

/** `work` goes on for others that wait for it. */
async function atOnce<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted()
  const stopped = Promise.withResolvers<never>()
  const stop = () => stopped.reject(signal.reason)
  signal.addEventListener('abort', stop, { once: true })
  try {
    return await Promise.race([work, stopped.promise])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

/** The results of those that succeed. Rejects when none does. */
async function allOrFirstFailure<T>(work: readonly Promise<T>[]): Promise<T[]> {
  const settled = await Promise.allSettled(work)
  const results = settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  const [first] = settled.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []))
  if (results.length === 0 && first !== undefined) throw first
  return results
}
