/** Wakes waiters in this process when the event reports that an ingestion run ended. Events can be lost, so waiters also poll. */
export class RunFinishes {
  readonly #waiters = new Map<string, Set<() => void>>()

  finished(runId: string): void {
    for (const wake of this.#waiters.get(runId) ?? []) wake()
  }

  /** Resolves when the run ends, the time is over or the signal aborts, whichever comes first. */
  wait(runId: string, ms: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const waiters = this.#waiters.get(runId) ?? new Set()
      this.#waiters.set(runId, waiters)
      const wake = () => {
        clearTimeout(timer)
        signal.removeEventListener('abort', wake)
        waiters.delete(wake)
        if (waiters.size === 0) this.#waiters.delete(runId)
        resolve()
      }
      const timer = setTimeout(wake, ms)
      signal.addEventListener('abort', wake, { once: true })
      waiters.add(wake)
    })
  }
}
