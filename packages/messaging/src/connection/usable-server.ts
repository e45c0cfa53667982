import { settledWithin } from '@youworker/runtime/timing/settled-within'
import { connect, ErrorCode, NatsError } from 'nats'
import { readUrl } from './read-url.ts'

const MIB = 1_048_576
const OLDEST = [2, 9, 10] as const

/**
 * Why the system cannot use this NATS and what to do about it, to be said behind the name of its setting; `undefined` when it can.
 * Takes at most three times `timeoutMs`.
 */
export async function askUsable(url: string, timeoutMs: number): Promise<string | undefined> {
  const { servers, where, credentials } = readUrl(url)
  try {
    const nats = await connect({ servers, ...credentials, reconnect: false, timeout: timeoutMs, name: 'youworker start' })
    try {
      const { version = '', max_payload = 0 } = nats.info ?? {}
      if (!isRecent(version)) return `NATS at ${where} is version ${version}; ${OLDEST.join('.')} or later is needed`
      if (max_payload < MIB) return `NATS at ${where} takes messages of ${max_payload} bytes only; set max_payload: 1MB there`
      const streams = nats.jetstreamManager({ timeout: timeoutMs })
      if (!(await settledWithin(timeoutMs, streams))) return noStreams(where, 'no answer')
      return await streams.then(
        () => undefined,
        (error: unknown) => noStreams(where, error instanceof Error ? error.message : String(error)),
      )
    } finally {
      await settledWithin(timeoutMs, nats.close())
    }
  } catch (error) {
    const reason = error instanceof NatsError ? (WHY[error.code] ?? error.message) : String(error)
    if (error instanceof NatsError && REFUSED.has(error.code))
      return `NATS at ${where} refuses the login; correct user and password in the URL`
    return `NATS at ${where} does not answer (${reason}); start it (nats-server -js), correct the URL, or remove the setting: then a built-in one is used`
  }
}

const REFUSED: ReadonlySet<string> = new Set([ErrorCode.AuthorizationViolation, ErrorCode.BadAuthentication])
const WHY: Readonly<Record<string, string>> = {
  [ErrorCode.ConnectionRefused]: 'connection refused',
  [ErrorCode.Timeout]: 'timeout',
}

const noStreams = (where: string, reason: string): string =>
  `NATS at ${where} has no JetStream for this user (${reason}); start it with JetStream: nats-server -js`

function isRecent(version: string): boolean {
  const parts = version.split('.').map((part) => Number.parseInt(part, 10) || 0)
  const at = OLDEST.findIndex((part, index) => parts[index] !== part)
  return at < 0 || (parts[at] ?? 0) > (OLDEST[at] ?? 0)
}
