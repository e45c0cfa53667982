import { ERROR_STATUS, type ErrorCode } from '@youworker/contracts/errors'
import { traceIdOf } from './correlation.ts'
import type { Logger } from './logger.ts'

interface Served {
  /** Of HTTP: the pattern of the path, never the path itself, which may hold what a user wrote. */
  readonly route?: string
  readonly method?: string | undefined
  /** Of NATS. */
  readonly subject?: string
  /** By default that of `code`, or 200. */
  readonly status?: number | undefined
  readonly code?: ErrorCode | undefined
  readonly ms: number
  readonly user_id: string | undefined
  readonly correlationId: string
  readonly traceparent: string
  /** Nobody asked for it but a probe, or another process for itself. */
  readonly isRoutine: boolean
}

/** One line for each request in each service that it passes, without content, keys and query parameters. */
export function logServed(logger: Logger, { isRoutine, ms, correlationId, traceparent, code, ...line }: Served): void {
  const status = line.status ?? (code === undefined ? 200 : ERROR_STATUS[code])
  const level = isRoutine && (status < 400 || status >= 500) ? 'debug' : 'info'
  if (!logger.isLevelEnabled(level)) return
  const ids = { correlation_id: correlationId, trace_id: traceIdOf(traceparent) }
  logger[level]({ ...line, status, code, ms: Math.round(ms * 10) / 10, ...ids }, 'request')
}
