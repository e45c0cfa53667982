import { AppError } from '@youworker/contracts/errors'

/** Of one user, at this gateway. */
const MAX_SOCKETS = 64

/** How many WebSockets each user has open. */
export class OpenSockets {
  readonly #counts = new Map<string, number>()

  /** Throws `RATE_LIMIT_EXCEEDED` when the user may open no more. */
  require(userId: string): void {
    if (this.#of(userId) < MAX_SOCKETS) return
    const message = `You have ${MAX_SOCKETS} WebSockets open, which is all that one user may have; close one`
    throw new AppError('RATE_LIMIT_EXCEEDED', message, { retryAfter: 5 })
  }

  enter(userId: string): void {
    this.#counts.set(userId, this.#of(userId) + 1)
  }

  leave(userId: string): void {
    const left = this.#of(userId) - 1
    if (left > 0) this.#counts.set(userId, left)
    else this.#counts.delete(userId)
  }

  #of(userId: string): number {
    return this.#counts.get(userId) ?? 0
  }
}
