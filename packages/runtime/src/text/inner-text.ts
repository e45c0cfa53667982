const USER_INFO = /:\/\/[^\s/?#"'<>\\]*@/g
const PARAMETER = /([?&])([^?=&\s#"'<>\\]+)=[^&\s#"'<>\\]*/g
const SECRET_NAME = /token|secret|passw|pwd|key|sig|auth|credential|code/i
/** What pino leaves as it is: C1 controls, line separators, turns of direction. */
const UNPRINTABLE = /[\u007F-\u009F\u061C\u200E\u200F\u2028-\u202E\u2066-\u2069]/g

/** The text, in which no URL shows a user, a password or a parameter that may be secret. */
export const withoutUrlSecrets = (text: string): string =>
  text
    .replace(USER_INFO, '://')
    .replace(PARAMETER, (whole, mark: string, name: string) => (SECRET_NAME.test(name) ? `${mark}${name}=[redacted]` : whole))

/** Fields of log lines that hold credentials, at any depth. (As `redact` of pino they cost most of the time of a line.) */
const SECRET_FIELDS = new Set([
  'token',
  'access_token',
  'session_secret',
  'secret',
  'password',
  'api_key',
  'authorization',
  'cookie',
  'credential',
])
const FIELD = /"([a-z_]+)":(?:"(?:[^"\\]|\\.)*"|[\w.+-]+)/g

/** A line of JSON for logs, which end in terminals. */
export const safeLogLine = (json: string): string =>
  withoutUrlSecrets(json)
    .replace(FIELD, (field, name: string) => (SECRET_FIELDS.has(name) ? `"${name}":"[redacted]"` : field))
    .replace(UNPRINTABLE, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)

const MAX_CAUSES = 3

/** An error's message with what lies behind it: addresses, answers of other servers. For root and logs, never for users. */
export function innerMessage(error: unknown): string {
  const messages = new Set<string>()
  for (let at = error, depth = 0; at instanceof Error && depth <= MAX_CAUSES; at = at.cause, depth += 1) messages.add(at.message)
  messages.delete('')
  const last = [...messages].at(-1) ?? String(error)
  const outer = [...messages].slice(0, -1).map((message) => (message.endsWith('.') ? message.slice(0, -1) : message))
  return withoutUrlSecrets([...outer, last].join(': '))
}
