import { AppError } from '@youworker/contracts/errors'

/** Lets `running` pieces of work run at once and `waiting` more wait in line; the rest is refused. */
export class Slots {
  readonly #running: number
  readonly #waiting: number
  readonly #line: (() => void)[] = []
  #taken = 0

  constructor({ running, waiting }: { running: number; waiting: number }) {
    this.#running = running
    this.#waiting = waiting
  }

  async run<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    await this.#take()
    try {
      signal.throwIfAborted()
      return await work()
    } finally {
      this.#release()
    }
  }

  async #take(): Promise<void> {
    if (this.#taken < this.#running) {
      this.#taken += 1
      return
    }
    if (this.#line.length >= this.#waiting) {
      throw new AppError('SERVICE_UNAVAILABLE', 'Too many sign-ins at once. Try again in a second.', { retryAfter: 1 })
    }
    // The one who releases hands its slot over, so the count stays as it is.
    await new Promise<void>((resolve) => this.#line.push(resolve))
  }

  #release(): void {
    const next = this.#line.shift()
    if (next) next()
    else this.#taken -= 1
  }
}
