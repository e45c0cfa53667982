import type { Logger } from './logger.ts'

/** Resolves when the dependency answers; throws an error that says what is wrong and what to do. */
export type HealthCheck = () => Promise<void>

/** A running service. Disposing it stops taking work, waits for what runs and closes what it opened. */
export interface Service extends AsyncDisposable {
  /** By the dependency's name; the service is ready while all pass. */
  readonly checks: Readonly<Record<string, HealthCheck>>
}

export interface ServiceContext {
  readonly logger: Logger
}
