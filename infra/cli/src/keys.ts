import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { NATS_ADMIN } from '@youworker/contracts/topology/subjects'
import { SCHEMAS, SERVICES } from '@youworker/contracts/topology/topology'
import { passwordVariable } from './nats-conf.ts'

const secret = (bytes = 32): string => randomBytes(bytes).toString('base64url')
/** nats-server reads a value that begins with `-` or like a number as one, and then does not start. */
const natsPassword = (): string => `n${secret(24)}`

/** Every secret of a production system, fresh, by the name of its setting. Only the JWT key has a character that a URL or shell would change. */
export function generateSecrets(): Map<string, string> {
  const { privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  })
  return new Map([
    ['SECURITY__ROOT_API_KEY', `yw_${secret()}`],
    ['SECURITY__JWT_PRIVATE_KEY', privateKey.trim()],
    ['SECURITY__CHAT_MESSAGE_ENCRYPTION_SECRET', `1:${secret()}`],
    ['SECURITY__AUDIT_KEY', `1:${secret()}`],
    ['SECURITY__CSRF_SECRET', secret()],
    ['POSTGRES_PASSWORD', secret(24)],
    ...Object.keys(SCHEMAS).map((owner) => [passwordVariable('POSTGRES_PASSWORD', owner), secret(24)] as const),
    ...[NATS_ADMIN, ...SERVICES].map((user) => [passwordVariable('NATS_PASSWORD', user), natsPassword()] as const),
  ])
}

/** The secrets as the content of a `.env` file. */
export function renderEnv(secrets: ReadonlyMap<string, string>): string {
  const quoted = (value: string) => (value.includes('\n') ? `"${value.replaceAll('\n', '\\n')}"` : value)
  return [...secrets].map(([name, value]) => `${name}=${quoted(value)}\n`).join('')
}
