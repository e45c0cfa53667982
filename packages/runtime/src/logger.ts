import { pino } from 'pino'
import { traceIdOf } from './correlation.ts'
import { currentRequest } from './current-request.ts'
import { describeError } from './describe-error.ts'
import { LogOutput } from './log-output.ts'
import { readableLine } from './readable-line.ts'
import { safeLogLine } from './text/inner-text.ts'

export type Logger = Pick<import('pino').Logger, 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'level' | 'isLevelEnabled'> & {
  child(bindings: Record<string, unknown>): Logger
}

/** The names that LOG_LEVEL takes as well. */
const LEVELS: Readonly<Record<string, string>> = { warn: 'WARNING', fatal: 'CRITICAL' }

interface LoggerOptions {
  readonly name: string
  readonly level?: string
  /** `text`: for people who read along. */
  readonly format?: 'json' | 'text'
  /** Receives each line instead of standard output. */
  readonly write?: (line: string) => void
}

const STANDARD_OUTPUT = 1
/** One for all loggers of the process. */
let output: LogOutput | undefined

/**
 * Lines on standard output, which may be full or closed: that ends no process. As JSON each has `timestamp`, `level`, `logger` and
 * `message`, and those of a request its `correlation_id` and `trace_id`.
 */
export function createLogger({ name, level = 'info', format = 'json', write }: LoggerOptions): Logger {
  const streamWrite = format === 'json' ? safeLogLine : (json: string) => readableLine(safeLogLine(json))
  const options = {
    level,
    base: { logger: name },
    messageKey: 'message',
    timestamp: () => `,"timestamp":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: LEVELS[label] ?? label.toUpperCase() }) },
    serializers: { err: describeError },
    mixin: originOfLine,
    hooks: { streamWrite },
  }
  if (write) return pino(options, { write })
  const tellDropped = (dropped: number) =>
    logger.warn({ dropped }, 'log lines were dropped: standard output could not be written')
  output ??= new LogOutput(STANDARD_OUTPUT, tellDropped)
  const logger: Logger = pino(options, output)
  return logger
}

/** A new object each time: pino adds the fields of the line to it. */
function originOfLine(): Record<string, unknown> {
  const { correlationId, traceparent } = currentRequest()
  return {
    ...(correlationId === undefined ? {} : { correlation_id: correlationId }),
    ...(traceparent === undefined ? {} : { trace_id: traceIdOf(traceparent) }),
  }
}

/** Logs nothing: for tests. */
export const silentLogger = (): Logger => pino({ level: 'silent' })
