import { audioEnv } from '@youworker/audio-server/audio-env'
import { checkTogether, commaList, flag, integer, listenEnv, natsEnv, processEnv } from '@youworker/runtime/process/config'
import { z } from 'zod'
import { isAddressRange } from './http/guards/client-address.ts'

const KNOWN_WORDS = /change|default|example|secret|password|test|csrf|123456/i
const isStrong = (secret: string): boolean => secret.length >= 32 && new Set(secret).size >= 12 && !KNOWN_WORDS.test(secret)

const isOrigin = (text: string): boolean =>
  !text.includes('*') && URL.canParse(text) && /^https?:$/.test(new URL(text).protocol) && new URL(text).origin === text

const Origins = commaList
  .transform((list) => list.map((origin) => origin.replace(/\/$/, '')))
  .pipe(
    z.array(
      z
        .string()
        .refine(isOrigin, 'must name exact origins like https://app.example.org; `*` is refused because cookies are allowed'),
    ),
  )

const AddressRanges = commaList.pipe(
  z.array(z.string().refine(isAddressRange, 'must be addresses or CIDR ranges, like 10.0.0.7 or 10.0.0.0/8')),
)

const ENV = z.object({
  ...processEnv,
  ...natsEnv,
  ...listenEnv,
  API__HOST: z.string().default('127.0.0.1').describe('Address that the API listens on'),
  API__PORT: integer(0, 65_535).default(8_001).describe('Port of the API; 0 takes a free one'),
  API__DEADLINE_MS: integer(1_000, 600_000).default(10_000).meta({
    description: 'How long a request may take in all; streams may last once they have begun',
    unit: 'ms',
  }),
  API__STALL_MS: integer(100, 600_000).default(10_000).meta({
    description: 'A client of a stream that reads nothing for so long, though there is something, is disconnected; it can resume',
    unit: 'ms',
  }),
  API__MIN_UPLOAD_RATE: integer(1, 1_048_576).default(1_024).meta({
    description: 'An upload that comes more slowly, on average over 30 s, is ended with 408',
    unit: 'bytes/s',
  }),
  SECURITY__CSRF_SECRET: z.string().min(16, 'must have at least 16 characters').meta({
    description: 'Signs CSRF tokens and the cookies of known devices; another value makes browsers fetch a new token',
    secret: true,
  }),
  ...audioEnv,
  AUDIO__SPEECH_MODEL: z.string().min(1).default('tts-1').describe('Its model that speaks'),
  AUDIO__VOICE: z.string().min(1).default('alloy').describe('The voice of that model'),
  AUDIO__TIMEOUT_MS: integer(100, 300_000)
    .default(60_000)
    .meta({ description: 'How long it may take for one recording or one spoken answer', unit: 'ms' }),
  AUDIO__CONCURRENCY: integer(1, 1_000)
    .default(8)
    .describe(
      'Most recordings, and most spoken answers, that one gateway gives it at the same time; further ones are refused with 503',
    ),
  FRONTEND_ORIGIN: Origins.default([]).describe('Origins of browser apps that may call with cookies, separated by commas'),
  SECURITY__TRUSTED_PROXIES: AddressRanges.default([]).describe(
    'Proxies whose X-Forwarded-For is trusted: addresses or CIDR ranges, separated by commas',
  ),
  SECURITY__OPS_PEERS: AddressRanges.default([]).describe(
    'Clients that read /health/detailed and /metrics without a key, such as Prometheus: addresses or CIDR ranges, separated by commas',
  ),
  SECURITY__AUTHENTIK_ENABLED: flag
    .default(false)
    .describe('Whether X-Authentik-Username of a trusted proxy is checked against the user of the key'),
  SECURITY__RATE_LIMITS: z
    .enum(['on', 'generous', 'off'])
    .default('on')
    .describe('Limits of requests: on, generous (a hundred times as many) or off (not in production)'),
  SECURITY__WHITELISTED_IPS: AddressRanges.default([]).describe(
    'When set, only these addresses are served, on every path but /health/live and /health/ready: addresses or CIDR ranges, separated by commas',
  ),
  INGEST__MAX_FILE_MB: integer(1, 1_024).default(100).meta({ description: 'Largest file that is taken', unit: 'MB' }),
})

export const Env = checkTogether(ENV, (env, refuse) => {
  if (env.APP_ENV !== 'production') return
  if (env.SECURITY__CSRF_SECRET !== undefined && !isStrong(env.SECURITY__CSRF_SECRET)) {
    refuse('SECURITY__CSRF_SECRET', 'is weak: take a new one from `npm run youworker -- keys generate`')
  }
  if (env.SECURITY__RATE_LIMITS === 'off') refuse('SECURITY__RATE_LIMITS', 'is refused in production; use `on` or `generous`')
})

export type Config = Readonly<z.output<typeof Env>>
