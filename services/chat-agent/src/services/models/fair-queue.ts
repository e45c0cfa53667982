import { ModelError } from '@youworker/runtime/model-error'
import type { ModelCall } from './model-port.ts'

type Turn = Pick<ModelCall, 'user' | 'signal' | 'isBackground' | 'onQueued'>

interface Waiting extends Turn {
  /** Start tag: calls begin in the order of it. */
  readonly start: number
  /** What the caller was told last. */
  told: number
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

const MAX_WAITING = 10_000
/** Positions below it are all told; further back only when half of those before have gone. */
const NEAR = 10
const BUSY = 'Too many wait for this model; try again in a moment.'
const CLOSED = 'The model does not answer now; try again in a moment.'

/**
 * Lets so many calls through at the same time. The others wait in turns of their users: start-time fair queueing (Goyal, Vin and Cheng,
 * 1996), where every call costs the same.
 */
export class FairQueue {
  #limit: number
  #active = 0
  /** By `start`, those with the same one in the order in which they came. */
  readonly #waiting: Waiting[] = []
  /** Start tag of the newest call that began. */
  #now = 0
  /** When the next call of a user may start at the earliest. */
  readonly #next = new Map<string, number>()

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Calls that run or wait, in units of what runs at the same time. */
  get load(): number {
    return (this.#active + this.#waiting.length) / this.#limit
  }

  get running(): number {
    return this.#active
  }

  get waiting(): number {
    return this.#waiting.length
  }

  get isIdle(): boolean {
    return this.#active === 0 && this.#waiting.length === 0
  }

  set limit(limit: number) {
    this.#limit = limit
    this.#admit()
  }

  /** Resolves when it is the call's turn; {@link leave} must follow. Rejects with the signal's reason, or a ModelError. */
  async enter(turn: Turn): Promise<void> {
    turn.signal.throwIfAborted()
    if (this.#waiting.length >= MAX_WAITING) throw new ModelError('busy', BUSY)
    const start = turn.isBackground ? Infinity : this.#nextOf(turn.user)
    if (this.#active < this.#limit) return this.#begin(start)
    await this.#wait(turn, start)
    try {
      turn.onQueued(undefined)
    } catch (error) {
      this.leave()
      throw error
    }
  }

  #nextOf(user: string): number {
    const start = Math.max(this.#now, this.#next.get(user) ?? 0)
    this.#next.set(user, start + 1)
    return start
  }

  leave(): void {
    this.#active -= 1
    this.#admit()
    if (!this.isIdle) return
    this.#next.clear()
    this.#now = 0
  }

  /** Those that wait must go elsewhere. */
  close(): void {
    for (const { reject } of this.#waiting.splice(0)) reject(new ModelError('away', CLOSED))
  }

  #begin(start: number): void {
    this.#active += 1
    if (start < Infinity) this.#now = start
  }

  #wait(turn: Turn, start: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const waiting: Waiting = { ...turn, start, told: Infinity, resolve, reject }
    const behind = this.#waiting.findIndex((other) => other.start > start)
    this.#waiting.splice(behind < 0 ? this.#waiting.length : behind, 0, waiting)
    const stop = () => {
      this.#drop(waiting, turn.signal.reason)
      this.#tell()
    }
    turn.signal.addEventListener('abort', stop, { once: true })
    this.#tell()
    return promise.finally(() => turn.signal.removeEventListener('abort', stop))
  }

  #admit(): void {
    let hasBegun = false
    while (this.#active < this.#limit) {
      const first = this.#waiting.shift()
      if (!first) break
      this.#begin(first.start)
      first.resolve()
      hasBegun = true
    }
    if (hasBegun) this.#tell()
    if (this.#next.size > MAX_WAITING) for (const [user, next] of this.#next) if (next <= this.#now) this.#next.delete(user)
  }

  #tell(): void {
    for (const [position, waiting] of [...this.#waiting].entries()) {
      if (position >= waiting.told || (position >= NEAR && position > waiting.told / 2)) continue
      waiting.told = position
      try {
        waiting.onQueued(position)
      } catch (error) {
        this.#drop(waiting, error)
      }
    }
  }

  #drop(waiting: Waiting, error: unknown): void {
    const at = this.#waiting.indexOf(waiting)
    if (at >= 0) this.#waiting.splice(at, 1)
    waiting.reject(error)
  }
}
