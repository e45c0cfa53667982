import { AppError } from '@youworker/contracts/errors'

interface SlotsOptions {
  /** In the plural: `recordings`. */
  readonly what: string
  readonly perUser: number
  readonly inAll: number
}

const RETRY_AFTER = 2

/** How much of one kind of work this process does at the same time. */
export class Slots {
  readonly #options: SlotsOptions
  readonly #ofUser = new Map<string, number>()
  #taken = 0

  constructor(options: SlotsOptions) {
    this.#options = options
  }

  /** Takes one until it is disposed. Throws at once when there is none: `RATE_LIMIT_EXCEEDED` for the user, `SERVICE_UNAVAILABLE` for all. */
  take(user: string): Disposable {
    const { what, perUser, inAll } = this.#options
    const own = this.#ofUser.get(user) ?? 0
    const retry = { retryAfter: RETRY_AFTER }
    if (own >= perUser) {
      throw new AppError(
        'RATE_LIMIT_EXCEEDED',
        `At most ${perUser} ${what} of one user at the same time; wait for one to end`,
        retry,
      )
    }
    if (this.#taken >= inAll) throw new AppError('SERVICE_UNAVAILABLE', `Too many ${what} at the moment; try again`, retry)
    this.#ofUser.set(user, own + 1)
    this.#taken += 1
    let isTaken = true
    return {
      [Symbol.dispose]: () => {
        if (isTaken) this.#free(user)
        isTaken = false
      },
    }
  }

  #free(user: string): void {
    this.#taken -= 1
    const left = (this.#ofUser.get(user) ?? 1) - 1
    if (left > 0) this.#ofUser.set(user, left)
    else this.#ofUser.delete(user)
  }
}
