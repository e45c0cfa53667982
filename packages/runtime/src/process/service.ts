import type { Readiness } from '../health/readiness.ts'
import type { Logger } from '../logger.ts'

/** A running service. Disposing it stops taking work, waits for running work and closes its resources. */
export interface Service extends AsyncDisposable {
  readonly readiness: Readiness
  /**
   * Called when another process takes over: begins no new long work and resolves when what runs has ended. Requests are still
   * served. Disposal follows, also when time is up.
   */
  drain?(): Promise<void>
}

export interface ServiceContext {
  readonly logger: Logger
  /** `host:port` at which Prometheus finds /metrics of the process, as other machines see it. */
  readonly metricsAt?: string | undefined
}
