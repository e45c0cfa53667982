import type { IncomingMessage } from 'node:http'
import { AppError } from '@youworker/contracts/errors'

/** Of a request's time this much is kept for its answer. */
const ANSWER_MS = 250

/** The time that one request may take in all, and its end before that when the client leaves. */
export class RequestDeadline {
  readonly #limitMs: number
  readonly #ended = new AbortController()
  /** Epoch ms; undefined while nothing is timed. */
  #endsAt: number | undefined
  #timer: NodeJS.Timeout | undefined
  #expire: () => void = () => undefined
  #isLifted = false

  /** Begins now. */
  constructor(limitMs: number) {
    this.#limitMs = limitMs
    this.#endsAt = Date.now() + limitMs
  }

  /** Epoch ms, for calls to services; undefined when each has only its own limit. */
  get at(): number | undefined {
    return this.#endsAt === undefined ? undefined : this.#endsAt - ANSWER_MS
  }

  /** Aborts when the time is over or the client has left. */
  get signal(): AbortSignal {
    return this.#ended.signal
  }

  /** How long a request may wait for something. */
  get longestMs(): number {
    return this.#limitMs - ANSWER_MS
  }

  /** The ms that are left of the first `ms` of the request, never more than those until `at`. */
  leftOf(ms: number): number {
    if (this.#endsAt === undefined) return ms
    const left = this.#endsAt - ANSWER_MS - Date.now()
    return Math.min(left, left - (this.longestMs - ms))
  }

  /** Runs the whole request. Throws `DEADLINE_EXCEEDED`, with `advice` in its message, when the time is over. */
  async within<T>(work: () => Promise<T>, advice: string): Promise<T> {
    const { promise: expired, reject } = Promise.withResolvers<never>()
    this.#expire = () => {
      const message = `The request did not end within ${this.#limitMs / 1_000} s; ${advice}`
      const error = new AppError('DEADLINE_EXCEEDED', message, { retryAfter: 1 })
      this.#ended.abort(error)
      reject(error)
    }
    this.#arm()
    try {
      return await Promise.race([work(), expired])
    } finally {
      this.#expire = () => undefined
      clearTimeout(this.#timer)
    }
  }

  /** The clock stands still until the body has arrived, because receiving it has limits of its own. */
  pauseWhileReceiving(incoming: IncomingMessage): void {
    const goOn = this.#pause()
    if (goOn) incoming.once('end', goOn)
  }

  /** The clock stands still during work that has a limit of its own. */
  async pausedFor<T>(work: () => Promise<T>): Promise<T> {
    const goOn = this.#pause()
    try {
      return await work()
    } finally {
      goOn?.()
    }
  }

  /** Returns what lets the clock go on; `undefined` when it stands still already. */
  #pause(): (() => void) | undefined {
    if (this.#endsAt === undefined) return undefined
    const leftMs = this.#endsAt - Date.now()
    this.#endsAt = undefined
    clearTimeout(this.#timer)
    return () => {
      if (this.#isLifted) return
      this.#endsAt = Date.now() + leftMs
      this.#arm()
    }
  }

  /** A stream has begun and may last. */
  lift(): void {
    this.#isLifted = true
    this.#endsAt = undefined
    clearTimeout(this.#timer)
  }

  /** The client has left: nothing more is begun for it. */
  cancel(): void {
    clearTimeout(this.#timer)
    this.#ended.abort(new AppError('SERVICE_UNAVAILABLE', 'The client has left'))
  }

  #arm(): void {
    if (this.#endsAt === undefined) return
    this.#timer = setTimeout(() => this.#expire(), this.#endsAt - Date.now())
  }
}
