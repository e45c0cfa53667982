import { AUDIT, parseKeyRing } from '@youworker/database/sealing/key-ring'
import { databaseEnv, natsEnv, processEnv } from '@youworker/runtime/process/config'
import { z } from 'zod'

const GENERATED = /^yw_[\w-]{43}$/
const KNOWN_WORDS = /change|default|example|secret|password|test|root-api-key|123456/i

/** Accepts for production a key from `keys generate`, or another long one that is not a phrase from some manual. */
const isStrong = (key: string): boolean =>
  GENERATED.test(key) || (key.length >= 32 && new Set(key).size >= 12 && !KNOWN_WORDS.test(key))

function auditKeyProblem(ring: string): string | undefined {
  try {
    parseKeyRing(ring, AUDIT)
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message.replace(/^SECURITY__AUDIT_KEY: /, '') : String(error)
  }
}

/** Keys of a ring that were typed rather than generated repeat few bytes. */
const areRandom = (ring: string): boolean =>
  ring.split(',').every((entry) => new Set(Buffer.from(entry.replace(/^.*:/, ''), 'base64url')).size >= 16)

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
    SECURITY__AUDIT_KEY: z
      .string()
      .min(1)
      .describe('Key ring that chains the audit trail: id:key,id:key with the highest id in use; 32 bytes in base64url each'),
  })
  .superRefine((env, context) => {
    const refuse = (setting: keyof typeof env, message: string) => context.addIssue({ code: 'custom', path: [setting], message })
    const weak = 'is weak: take a new one from `npm run youworker -- keys generate`'
    const wrong = auditKeyProblem(env.SECURITY__AUDIT_KEY)
    if (wrong !== undefined) refuse('SECURITY__AUDIT_KEY', wrong)
    if (env.APP_ENV !== 'production') return
    if (!isStrong(env.SECURITY__ROOT_API_KEY)) refuse('SECURITY__ROOT_API_KEY', weak)
    if (wrong === undefined && !areRandom(env.SECURITY__AUDIT_KEY)) refuse('SECURITY__AUDIT_KEY', weak)
  })

export type Config = Readonly<z.output<typeof Env>>
