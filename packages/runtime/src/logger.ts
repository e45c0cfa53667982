import { pino } from 'pino'
import { LogOutput } from './log-output.ts'
import { safeLogLine } from './text/inner-text.ts'

export type Logger = Pick<import('pino').Logger, 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'level' | 'isLevelEnabled'> & {
  child(bindings: Record<string, unknown>): Logger
}

/** Fields that are redacted in logs, at the top and two levels down. */
const SECRETS = [
  'token',
  'access_token',
  'session_secret',
  'secret',
  'password',
  'api_key',
  'authorization',
  'cookie',
  'credential',
]

const redact = {
  paths: SECRETS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]),
  censor: '[redacted]',
}

interface LoggerOptions {
  readonly name: string
  readonly level?: string
  /** Receives each line instead of standard output. */
  readonly write?: (line: string) => void
}

const STANDARD_OUTPUT = 1
/** One for all loggers of the process. */
let output: LogOutput | undefined

/** JSON lines on standard output, which may be full or closed: that ends no process. */
export function createLogger({ name, level = 'info', write }: LoggerOptions): Logger {
  const options = {
    name,
    level,
    redact,
    base: { name },
    timestamp: pino.stdTimeFunctions.isoTime,
    hooks: { streamWrite: safeLogLine },
  }
  if (write) return pino(options, { write })
  const tellDropped = (dropped: number) =>
    logger.warn({ dropped }, 'log lines were dropped: standard output could not be written')
  output ??= new LogOutput(STANDARD_OUTPUT, tellDropped)
  const logger: Logger = pino(options, output)
  return logger
}

/** Logs nothing: for tests. */
export const silentLogger = (): Logger => pino({ level: 'silent' })
