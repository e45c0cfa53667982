import { databaseEnv, natsEnv, processEnv } from '@youworker/runtime/process/config'
import { z } from 'zod'

const GENERATED = /^yw_[\w-]{43}$/
const KNOWN_WORDS = /change|default|example|secret|password|test|root-api-key|123456/i

/** Accepts for production a key from `keys generate`, or another long one that is not a phrase from some manual. */
const isStrong = (key: string): boolean =>
  GENERATED.test(key) || (key.length >= 32 && new Set(key).size >= 12 && !KNOWN_WORDS.test(key))

export const Env = z
  .object({
    ...processEnv,
    ...databaseEnv,
    ...natsEnv,
    SECURITY__ROOT_API_KEY: z
      .string()
      .min(16, 'must have at least 16 characters')
      .max(512)
      .describe('The key of the account root; another value revokes the one before'),
    SECURITY__JWT_PRIVATE_KEY: z
      .string()
      .min(1)
      .describe(
        'RSA private key in PEM, also with \\n for line breaks or in base64; of several in a row the first signs and all are accepted',
      ),
  })
  .superRefine((env, context) => {
    if (env.APP_ENV !== 'production' || isStrong(env.SECURITY__ROOT_API_KEY)) return
    const message = 'is weak: take a new one from `npm run youworker -- keys generate`'
    context.addIssue({ code: 'custom', path: ['SECURITY__ROOT_API_KEY'], message })
  })

export type Config = Readonly<z.output<typeof Env>>
