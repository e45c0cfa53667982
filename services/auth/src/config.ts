import { AUDIT, keyRingProblem } from '@youworker/database/sealing/key-ring'
import { checkTogether, databaseEnv, natsEnv, processEnv } from '@youworker/runtime/process/config'
import { z } from 'zod'
import { privateKeyProblem } from './services/tokens/private-keys.ts'

const GENERATED = /^yw_[\w-]{43}$/
const KNOWN_WORDS = /change|default|example|secret|password|test|root-api-key|123456/i

/** Accepts for production a key from `keys generate`, or another long one that is not a phrase from some manual. */
const isStrong = (key: string): boolean =>
  GENERATED.test(key) || (key.length >= 32 && new Set(key).size >= 12 && !KNOWN_WORDS.test(key))

/** Keys of a ring that were typed rather than generated repeat few bytes. */
const areRandom = (ring: string): boolean =>
  ring.split(',').every((entry) => new Set(Buffer.from(entry.replace(/^.*:/, ''), 'base64url')).size >= 16)

const ENV = z.object({
  ...processEnv,
  ...databaseEnv,
  ...natsEnv,
  SECURITY__ROOT_API_KEY: z
    .string()
    .min(16, 'must have at least 16 characters')
    .max(512, 'must have at most 512 characters')
    .meta({ description: 'The key of the account root; another value revokes the one before', secret: true }),
  SECURITY__JWT_PRIVATE_KEY: z.string().meta({
    description:
      'RSA private key in PEM, also with \\n for line breaks or in base64; of several in a row the first signs and all are accepted',
    secret: true,
  }),
  SECURITY__AUDIT_KEY: z.string().meta({
    description: 'Key ring that chains the audit trail: id:key,id:key with the highest id in use; 32 bytes in base64url each',
    secret: true,
  }),
})

const NEW_KEY = 'take a new one from `npm run youworker -- keys generate`'

export const Env = checkTogether(ENV, (env, refuse) => {
  const { SECURITY__JWT_PRIVATE_KEY: jwtKey, SECURITY__AUDIT_KEY: auditKey, SECURITY__ROOT_API_KEY: rootKey } = env
  const wrongJwtKey = jwtKey === undefined ? undefined : privateKeyProblem(jwtKey)
  if (wrongJwtKey !== undefined) refuse('SECURITY__JWT_PRIVATE_KEY', `${wrongJwtKey}; ${NEW_KEY}`)
  const wrongAuditKey = auditKey === undefined ? undefined : keyRingProblem(auditKey, AUDIT)
  if (wrongAuditKey !== undefined) refuse('SECURITY__AUDIT_KEY', wrongAuditKey)
  if (env.APP_ENV !== 'production') return
  const weak = `is weak: ${NEW_KEY}`
  if (rootKey !== undefined && !isStrong(rootKey)) refuse('SECURITY__ROOT_API_KEY', weak)
  if (auditKey !== undefined && wrongAuditKey === undefined && !areRandom(auditKey)) refuse('SECURITY__AUDIT_KEY', weak)
})

export type Config = Readonly<z.output<typeof Env>>
