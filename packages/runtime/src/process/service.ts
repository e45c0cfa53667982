import type { Readiness } from '../health/readiness.ts'
import type { Logger } from '../logger.ts'

/** Resolves when the dependency works; rejects with an error that says what is wrong and what to do. */
export type HealthCheck = () => Promise<void>

/** A running service. Disposing it stops taking work, waits for running work and closes its resources. */
export interface Service extends AsyncDisposable {
  readonly readiness: Readiness
}

export interface ServiceContext {
  readonly logger: Logger
}
