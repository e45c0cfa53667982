import type { Logger } from '../logger.ts'

/**
 * Resolves when the dependency works, with what restricts it if something does (the service counts as degraded); rejects with an
 * error that says what is wrong and what to do.
 */
export type HealthCheck = () => Promise<string | undefined | void>

/** A running service. Disposing it stops taking work, waits for running work and closes its resources. */
export interface Service extends AsyncDisposable {
  /** Checks by name of the dependency; the service is ready while all pass. */
  readonly checks: Readonly<Record<string, HealthCheck>>
  /**
   * Called when another process takes over: begins no new long work and resolves when what runs has ended. Requests are still
   * served. Disposal follows, also when time is up.
   */
  drain?(): Promise<void>
}

export interface ServiceContext {
  readonly logger: Logger
}
