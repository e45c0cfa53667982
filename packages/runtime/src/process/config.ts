import { z } from 'zod'
import { GRACE_MS } from '../timing/settled-within.ts'
import { withoutUrlSecrets } from '../text/inner-text.ts'
import { readSetting, UnreadableSetting } from './read-setting.ts'

/** What is wrong with one setting: a sentence with its name, its value unless that may be a secret, and what to write instead. */
export interface SettingFault {
  readonly setting: string
  readonly message: string
}

/** Its message names every missing or invalid setting. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly faults: readonly SettingFault[]

  constructor(faults: readonly SettingFault[]) {
    super(`Settings that are missing or wrong:\n${faults.map(({ message }) => `  ${message}`).join('\n')}`)
    this.faults = faults
  }
}

const PINO_LEVEL: Readonly<Record<string, string>> = { critical: 'fatal', warning: 'warn', notset: 'trace' }

const logLevel = z
  .string()
  .transform((level) => PINO_LEVEL[level.toLowerCase()] ?? level.toLowerCase())
  .pipe(z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']))

export function integer(min: number, max: number) {
  const error = `must be a whole number from ${min} to ${max}`
  const digits = z.string().trim().regex(/^\d+$/, error)
  return digits.transform(Number).pipe(z.number(error).min(min, error).max(max, error))
}

/** An address of a server, `http://host:port`, with or without a path. */
export const httpUrl = z.url({
  protocol: /^https?$/,
  error: ({ input }) =>
    typeof input === 'string' && /^[\w.-]+(:\d+)?(\/[^@]*)?$/.test(input)
      ? `has no scheme; write http://${input}`
      : 'must be an http:// or https:// URL, like http://127.0.0.1:11434',
})

/**
 * Settings that every process has. What a setting means stands in its description and goes into .env.example, with its `unit`
 * where it has one.
 */
export const processEnv = {
  APP_ENV: z
    .enum(['development', 'test', 'production'])
    .default('development')
    .describe('`production` refuses weak and well-known secrets; `development` logs text for people instead of JSON'),
  LOG_LEVEL: logLevel.default('info').describe('Least level that is logged: trace, debug, info, warn, error, fatal or silent'),
  HEALTH__PORT: integer(0, 65_535).default(0).describe('Port of /health/live, /health/ready and /metrics; 0 takes a free one'),
  HEALTH__HOST: z.string().default('127.0.0.1').describe('Address that the health port listens on'),
  SHUTDOWN__GRACE_MS: integer(0, 60_000)
    .default(GRACE_MS)
    .meta({ description: 'How long a stopping process waits for running work', unit: 'ms' }),
  OTEL_EXPORTER_OTLP_ENDPOINT: z
    .url({ protocol: /^https?$/, error: 'must be a URL like http://collector:4318' })
    .optional()
    .describe('Receiver of traces over OTLP/HTTP; without it none are recorded'),
  OTEL_EXPORTER_OTLP_HEADERS: z
    .string()
    .default('')
    .refine(
      (text) => text === '' || text.split(',').every((pair) => /^\s*[\w-]+=/.test(pair)),
      'takes name=value, separated by commas',
    )
    .describe('Headers for the receiver, such as a key: name=value, separated by commas'),
  OTEL_TRACES_SAMPLER_ARG: z.coerce
    .number()
    .min(0)
    .max(1)
    .default(1)
    .describe('Share of traces that are recorded, 0 to 1; whoever calls with a traceparent has decided already'),
  TRACES__PATH: z
    .string()
    .optional()
    .describe('Instead of a receiver: a file to which traces are appended as lines of OTLP JSON. It grows without limit'),
}

/** Of services that listen on a port of their own. */
export const listenEnv = {
  CONNECTIONS__FROM: z
    .enum(['port', 'supervisor'])
    .default('port')
    .describe('`port`: the process listens itself; `supervisor`: npm start keeps the port and hands connections over'),
}

/** A lone `%` in a password is taken for the beginning of an escape. */
function isDecodable(url: string): boolean {
  try {
    decodeURIComponent(url)
    return true
  } catch {
    return false
  }
}

/** Also accepts `postgresql+asyncpg://`, as in the published `.env` of the Python system. */
export const postgresUrl = z
  .string()
  .transform((url) => url.replace(/^postgres(ql)?(\+\w+)?:/, 'postgresql:'))
  .pipe(z.url({ protocol: /^postgresql$/, error: 'must be a URL like postgresql://user:password@host:5432/database' }))
  .refine(isDecodable, 'has a % that begins no escape; write %25 for it')

/** `secret` in the meta of a setting: its value is never shown. */
export const databaseEnv = {
  DATABASE__URL: postgresUrl.meta({
    description: 'Postgres with the login role of the service: postgresql://group:password@host:5432/youworker',
    secret: true,
  }),
  DATABASE__POOL_SIZE: integer(1, 200).default(10).describe('Connections to Postgres that one process keeps'),
  DATABASE__MAX_OVERFLOW: integer(0, 200)
    .default(20)
    .describe('Connections beyond these that one process opens under load, and closes again when they are idle'),
  DATABASE__SLOW_QUERY_MS: integer(0, 3_600_000)
    .default(1_000)
    .meta({ description: 'Slower queries are logged with their plan, without their parameters', unit: 'ms' }),
}

const isNatsUrl = (url: string): boolean => URL.canParse(url) && /^(nats|tls):$/.test(new URL(url).protocol)

/** Of one server, or of several of one cluster separated by commas. */
export const natsUrl = z
  .string()
  .refine((list) => list.split(',').every((url) => isNatsUrl(url.trim())), 'must be a URL like nats://user:password@host:4222')
  .refine(isDecodable, 'has a % that begins no escape; write %25 for it')

export const natsEnv = {
  NATS__URL: natsUrl.meta({
    description: 'NATS with the user of the service: nats://group:password@host:4222',
    secret: true,
  }),
}

/** `on/off`, `true/false`, `1/0`, `yes/no`. */
export const flag = z.stringbool({ error: 'must be on or off' })

/** A comma-separated list; blanks around entries and empty entries are dropped. */
export const commaList = z.string().transform((list) =>
  list
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== ''),
)

/**
 * Adds a check of several settings together. It runs also when some are wrong, so that every fault is told at once: those are left
 * out of `env`.
 */
export function checkTogether<S extends z.ZodObject>(
  schema: S,
  check: (env: Partial<z.output<S>>, refuse: (setting: keyof z.output<S> & string, message: string) => void) => void,
): S {
  const run = (env: z.output<S>, context: z.core.$RefinementCtx) => {
    const wrong = new Set(context.issues.map(({ path }) => path?.[0]))
    const valid = Object.fromEntries(Object.entries(env).filter(([name]) => !wrong.has(name))) as Partial<z.output<S>>
    check(valid, (setting, message) => context.addIssue({ code: 'custom', path: [setting], message }))
  }
  return schema.superRefine(run, { when: () => true })
}

/**
 * Reads the settings named by the schema's keys, each from `NAME` or from the file that `NAME_FILE` names. Throws
 * {@link ConfigError}.
 */
export function readEnv<S extends z.ZodObject>(schema: S, env: NodeJS.ProcessEnv): Readonly<z.output<S>> {
  const unreadable: SettingFault[] = []
  const values = Object.fromEntries(Object.keys(schema.shape).map((name) => [name, readValue(name, env, unreadable)]))
  const parsed = schema.safeParse(values)
  const isUnreadable = (name: PropertyKey | undefined) => unreadable.some(({ setting }) => setting === name)
  const issues = parsed.error?.issues.filter(({ path }) => !isUnreadable(path[0])) ?? []
  const faults = [...unreadable, ...issues.map((issue) => faultOf(issue, values, schema))]
  if (faults.length > 0 || !parsed.success) throw new ConfigError(faults)
  return Object.freeze(parsed.data)
}

/** Reads settings that have no schema, as {@link readEnv} does; all of them must be set. */
export const readRequired = (names: readonly string[], env: NodeJS.ProcessEnv): Readonly<Record<string, string>> =>
  readEnv(z.object(Object.fromEntries(names.map((name) => [name, z.string().meta({ secret: true })]))), env)

function readValue(name: string, env: NodeJS.ProcessEnv, unreadable: SettingFault[]): string | undefined {
  try {
    return readSetting(name, env)
  } catch (error) {
    if (!(error instanceof UnreadableSetting)) throw error
    unreadable.push({ setting: name, message: error.message })
    return undefined
  }
}

function faultOf(issue: z.core.$ZodIssue, values: Record<string, string | undefined>, { shape }: z.ZodObject): SettingFault {
  const setting = String(issue.path[0] ?? '')
  const value = values[setting]
  if (value === undefined && issue.code !== 'custom') return { setting, message: `${setting} is not set` }
  const isSecret = (shape[setting] as z.ZodType | undefined)?.meta()?.['secret'] === true
  const isPlain = issue.code === 'invalid_value' && issue.message.startsWith('Invalid')
  const what = isPlain ? `must be one of: ${issue.values.join(', ')}` : issue.message
  return { setting, message: `${setting}: ${isSecret || value === undefined ? '' : shown(value)}${what}` }
}

const LONGEST_SHOWN = 80

/** A URL's password is no less a secret in a setting that usually holds none. */
function shown(value: string): string {
  const text = withoutUrlSecrets(value)
  if (text.includes('@')) return ''
  return `${JSON.stringify(text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN)}…` : text)} `
}
