import { setTimeout as sleep } from 'node:timers/promises'
import { SERVICES, type ServiceName } from '@youworker/contracts/topology/topology'
import { settledWithin } from '@youworker/runtime/timing/settled-within'
import type { DataDir } from '../data-dir/data-dir.ts'
import type { Print } from '../print.ts'
import { StartError } from '../start-error.ts'
import type { ProcessSpec, Running, SupervisedProcess } from './supervised-process.ts'
import { waitUntilFirstReady, waitUntilReady } from './wait-until-ready.ts'

export type ReplicaCounts = Readonly<Partial<Record<ServiceName, number>>>

/** A change that somebody waits for. */
export interface Change {
  readonly say: Print
  /** Aborts when nobody waits any more, or the system stops. */
  readonly signal: AbortSignal
}

interface Parts {
  /** All processes of the system; replicas are added and removed here. */
  readonly processes: SupervisedProcess[]
  readonly data: DataDir
  readonly start: (spec: ProcessSpec) => Promise<SupervisedProcess>
  /** Of replica `n` of a service. Missing when all services are in one process. */
  readonly specOf: ((service: ServiceName, n: number) => ProcessSpec) | undefined
  readonly onChange: () => void
}

const RESTART_MS = 3_500
/** The next step waits so long for a process that finishes its work; then both go on. */
const STEP_MS = 10_000

/** Restarts processes one after the other, and adds and removes replicas, while the system serves. */
export class Replicas {
  readonly #parts: Parts
  readonly #leaving = new Set<SupervisedProcess>()
  #underWay: string | undefined

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** Replicas that were removed and finish their work. */
  get leaving(): readonly SupervisedProcess[] {
    return [...this.#leaving]
  }

  /**
   * Restarts one process (`group.2`) or all of a name (`group`): each new one is ready before the one it replaces leaves, and
   * before the next. Returns their names. Throws {@link StartError} when a new one does not become ready; the old one then stays.
   */
  async restart(name: string, change: Change): Promise<string[]> {
    const { processes } = this.#parts
    const named = processes.filter(({ spec }) => spec.name === name || serviceOf(spec.name) === name)
    if (named.length === 0) {
      const names = [...new Set(processes.map(({ spec }) => serviceOf(spec.name)))]
      throw new StartError(`Nothing here is called ${name}. There are: ${names.join(', ')}.`)
    }
    return this.#one(`restart of ${name}`, async () => {
      for (const one of named) {
        change.signal.throwIfAborted()
        await (one.spec.drainMs === undefined ? this.#restartInPlace(one, change) : this.#replace(one, change))
      }
      return named.map(({ spec }) => spec.name)
    })
  }

  /** Adds and removes replicas until there are as many as asked. Throws {@link StartError} when a new one does not become ready. */
  scale(counts: ReplicaCounts, change: Change): Promise<void> {
    return this.#one('change of the number of replicas', async () => {
      const { specOf } = this.#parts
      if (!specOf) {
        throw new StartError(
          'This system runs in one process (--single-process) and has no replicas. Start it without that, then scale it.',
        )
      }
      for (const service of SERVICES) {
        const count = counts[service]
        if (count === undefined) continue
        if (this.#of(service).length === count) change.say(`${service}: ${count} already`)
        while (this.#of(service).length < count) await this.#add(service, specOf, change)
        while (this.#of(service).length > count) await this.#remove(service, change)
      }
    })
  }

  async #one<T>(what: string, work: () => Promise<T>): Promise<T> {
    if (this.#underWay !== undefined) {
      throw new StartError(`Another change is under way: ${this.#underWay}. Try again when it has ended.`)
    }
    this.#underWay = what
    try {
      return await work()
    } finally {
      this.#underWay = undefined
    }
  }

  /** In the order of their numbers. */
  #of(service: ServiceName): SupervisedProcess[] {
    return this.#parts.processes
      .filter(({ spec }) => serviceOf(spec.name) === service)
      .sort((a, b) => numberOf(a.spec.name) - numberOf(b.spec.name))
  }

  async #replace(one: SupervisedProcess, { say, signal }: Change): Promise<void> {
    const { name } = one.spec
    const untilReady = (fresh: Running) => waitUntilFirstReady(name, fresh, this.#parts.data, signal)
    const before = await one.replace(untilReady).catch((cause: unknown) => {
      if (!(cause instanceof StartError)) throw cause
      const stays = one.pid === undefined ? '' : ` Process ${one.pid} of before still serves.`
      throw new StartError(`The new ${cause.message}\nThe restart stopped there.${stays}`, { cause })
    })
    say(`${name}: process ${one.pid} is ready${before ? ` and has taken over from ${before.pid}` : ''}`)
    if (before) await this.#settle(name, before.pid, one.drain(before), { say, signal })
  }

  /** For servers of which there may be only one. */
  async #restartInPlace(one: SupervisedProcess, { say, signal }: Change): Promise<void> {
    const { pid } = one
    await one.restart(RESTART_MS)
    while (one.pid === undefined || one.pid === pid) await sleep(50, undefined, { signal })
    await waitUntilReady(one, this.#parts.data, signal)
    say(`${one.spec.name}: process ${one.pid} is up`)
  }

  async #add(service: ServiceName, specOf: NonNullable<Parts['specOf']>, { say, signal }: Change): Promise<void> {
    const { start, processes, data, onChange } = this.#parts
    signal.throwIfAborted()
    const taken = new Set(processes.map(({ spec }) => spec.name))
    let n = 1
    while (taken.has(`${service}.${n}`)) n += 1
    const spec = specOf(service, n)
    let added: SupervisedProcess | undefined
    try {
      added = await start(spec)
      await waitUntilReady(added, data, signal)
    } catch (error) {
      const failed = processes.findIndex((one) => one.spec === spec)
      await processes.splice(failed, failed === -1 ? 0 : 1)[0]?.stop(RESTART_MS)
      onChange()
      throw error
    }
    say(`${spec.name}: process ${added.pid} is ready`)
  }

  async #remove(service: ServiceName, change: Change): Promise<void> {
    change.signal.throwIfAborted()
    const { processes, onChange } = this.#parts
    const last = this.#of(service).at(-1)
    if (!last) return
    const { pid } = last
    processes.splice(processes.indexOf(last), 1)
    this.#leaving.add(last)
    onChange()
    const gone = last.retire().finally(() => this.#leaving.delete(last))
    change.say(`${last.spec.name}: takes no more work`)
    if (pid !== undefined) await this.#settle(last.spec.name, pid, gone, change)
  }

  async #settle(name: string, pid: number, gone: Promise<void>, { say, signal }: Change): Promise<void> {
    const aborted = Promise.withResolvers<void>()
    signal.addEventListener('abort', () => aborted.resolve(), { once: true })
    if (await settledWithin(STEP_MS, Promise.race([gone, aborted.promise]))) return
    say(`${name}: process ${pid} still finishes its work and then ends`)
  }
}

const serviceOf = (name: string): string => name.replace(/\.\d+$/, '')
const numberOf = (name: string): number => Number(/\d+$/.exec(name)?.[0] ?? 0)
