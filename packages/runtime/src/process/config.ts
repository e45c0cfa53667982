import { z } from 'zod'
import { GRACE_MS } from '../timing/settled-within.ts'
import { readSetting, UnreadableSetting } from './read-setting.ts'

/** Its message names every missing or invalid setting. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

const PINO_LEVEL: Readonly<Record<string, string>> = { critical: 'fatal', warning: 'warn', notset: 'trace' }

const logLevel = z
  .string()
  .transform((level) => PINO_LEVEL[level.toLowerCase()] ?? level.toLowerCase())
  .pipe(z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']))

export const integer = (min: number, max: number) => z.coerce.number().int().min(min).max(max)

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
  TRACES__FILE: z
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

/** Also accepts `postgresql+asyncpg://`, as in the published `.env` of the Python system. */
export const postgresUrl = z
  .string()
  .transform((url) => url.replace(/^postgres(ql)?(\+\w+)?:/, 'postgresql:'))
  .pipe(z.url({ protocol: /^postgresql$/, error: 'must be a postgresql:// URL' }))

export const databaseEnv = {
  DATABASE__URL: postgresUrl.describe(
    'Postgres with the login role of the service: postgresql://group:password@host:5432/youworker',
  ),
  DATABASE__POOL_SIZE: integer(1, 200).default(10).describe('Connections to Postgres that one process keeps'),
  DATABASE__MAX_OVERFLOW: integer(0, 200)
    .default(20)
    .describe('Connections beyond these that one process opens under load, and closes again when they are idle'),
  DATABASE__SLOW_QUERY_MS: z.coerce
    .number()
    .int()
    .min(0)
    .default(1_000)
    .meta({ description: 'Slower queries are logged with their plan, without their parameters', unit: 'ms' }),
}

export const natsEnv = {
  NATS__URL: z
    .url({ protocol: /^(nats|tls)$/, error: 'must be a nats:// URL' })
    .describe('NATS with the user of the service: nats://group:password@host:4222'),
}

/** `on/off`, `true/false`, `1/0`, `yes/no`. */
export const flag = z.stringbool()

/** A comma-separated list; blanks around entries and empty entries are dropped. */
export const commaList = z.string().transform((list) =>
  list
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== ''),
)

/**
 * Reads the settings named by the schema's keys, each from `NAME` or from the file that `NAME_FILE` names. Throws
 * {@link ConfigError}.
 */
export function readEnv<S extends z.ZodObject>(schema: S, env: NodeJS.ProcessEnv): Readonly<z.output<S>> {
  const unreadable = new Map<string, string>()
  const values = Object.fromEntries(Object.keys(schema.shape).map((name) => [name, readValue(name, env, unreadable)]))
  const parsed = schema.safeParse(values)
  const issues = parsed.error?.issues.filter(({ path }) => !unreadable.has(String(path[0]))) ?? []
  const problems = [...unreadable.values(), ...issues.map((issue) => describe(issue, values))]
  if (problems.length > 0 || !parsed.success) {
    throw new ConfigError(`Settings that are missing or wrong:\n${problems.map((line) => `  ${line}`).join('\n')}`)
  }
  return Object.freeze(parsed.data)
}

/** Reads settings that have no schema, as {@link readEnv} does; all of them must be set. */
export const readRequired = (names: readonly string[], env: NodeJS.ProcessEnv): Readonly<Record<string, string>> =>
  readEnv(z.object(Object.fromEntries(names.map((name) => [name, z.string()]))), env)

function readValue(name: string, env: NodeJS.ProcessEnv, unreadable: Map<string, string>): string | undefined {
  try {
    return readSetting(name, env)
  } catch (error) {
    if (!(error instanceof UnreadableSetting)) throw error
    unreadable.set(name, error.message)
    return undefined
  }
}

function describe(issue: z.core.$ZodIssue, values: Record<string, string | undefined>): string {
  const name = String(issue.path[0] ?? '')
  return values[name] === undefined ? `${name} is not set` : `${name}: ${issue.message}`
}
