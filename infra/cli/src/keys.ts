import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { NATS_ADMIN } from '@youworker/contracts/topology/subjects'
import { SCHEMAS, SERVICES } from '@youworker/contracts/topology/topology'
import { passwordVariable } from './nats-conf.ts'

const secret = (bytes = 32): string => randomBytes(bytes).toString('base64url')

/** A complete production `.env` for docker-compose.yml, every secret fresh. Values hold no character that a URL or a shell would change. */
export function generateEnv(): string {
  const { privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  })
  const values: [name: string, value: string][] = [
    ['SECURITY__ROOT_API_KEY', `yw_${secret()}`],
    ['SECURITY__JWT_PRIVATE_KEY', `"${privateKey.trim().replaceAll('\n', '\\n')}"`],
    ['SECURITY__CHAT_MESSAGE_ENCRYPTION_SECRET', `1:${secret()}`],
    ['SECURITY__AUDIT_KEY', `1:${secret()}`],
    ['SECURITY__CSRF_SECRET', secret()],
    ['POSTGRES_PASSWORD', secret(24)],
    ...Object.keys(SCHEMAS).map((owner): [string, string] => [passwordVariable('POSTGRES_PASSWORD', owner), secret(24)]),
    ...[NATS_ADMIN, ...SERVICES].map((user): [string, string] => [passwordVariable('NATS_PASSWORD', user), secret(24)]),
  ]
  return values.map(([name, value]) => `${name}=${value}\n`).join('')
}
