import { pino } from 'pino'

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

/** JSON lines on standard output. */
export function createLogger({ name, level = 'info', write }: LoggerOptions): Logger {
  const options = { name, level, redact, base: { name }, timestamp: pino.stdTimeFunctions.isoTime }
  return write ? pino(options, { write }) : pino(options)
}

/** Logs nothing: for tests. */
export const silentLogger = (): Logger => pino({ level: 'silent' })
