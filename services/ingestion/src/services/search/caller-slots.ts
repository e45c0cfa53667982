import { AppError } from '@youworker/contracts/errors'

/** Searches of one caller that may run or wait at a time. */
const MOST = 32

/** Refuses a caller who asks for more searches at a time than one needs, so that the others do not wait for them. */
export class CallerSlots {
  readonly #used = new Map<string, number>()

  async run<T>(userId: string, work: () => Promise<T>): Promise<T> {
    const used = this.#used.get(userId) ?? 0
    if (used >= MOST) {
      throw new AppError('SERVICE_UNAVAILABLE', `You have ${MOST} searches running; wait until one of them has ended`, {
        retryAfter: 1,
      })
    }
    this.#used.set(userId, used + 1)
    try {
      return await work()
    } finally {
      const left = (this.#used.get(userId) ?? 1) - 1
      if (left > 0) this.#used.set(userId, left)
      else this.#used.delete(userId)
    }
  }
}
