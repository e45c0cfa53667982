import { AppError } from '@youworker/contracts/errors'

const MAX_STOPS = 16

export const tooMany = (what: string, max: number): AppError =>
  new AppError('RATE_LIMIT_EXCEEDED', `One socket has at most ${max} ${what} at once; wait for one to end`, { retryAfter: 5 })

/** Stops runs, each once however often it is asked meanwhile. */
export class RunStops {
  readonly #stopRun: (runId: string) => Promise<unknown>
  readonly #underWay = new Map<string, Promise<unknown>>()

  constructor(stopRun: (runId: string) => Promise<unknown>) {
    this.#stopRun = stopRun
  }

  /** Throws `RATE_LIMIT_EXCEEDED` when too many are being stopped. */
  async stop(runIds: Iterable<string>): Promise<void> {
    await Promise.all(Array.from(runIds, (id) => this.#underWay.get(id) ?? this.#begin(id)))
  }

  #begin(runId: string): Promise<unknown> {
    if (this.#underWay.size >= MAX_STOPS) throw tooMany('stops', MAX_STOPS)
    const stopping = this.#stopRun(runId).finally(() => this.#underWay.delete(runId))
    // Who asked is told; nobody may be there any more.
    stopping.catch(() => undefined)
    this.#underWay.set(runId, stopping)
    return stopping
  }
}
