import type { auth } from '@youworker/contracts/auth'
import { AppError } from '@youworker/contracts/errors'
import { CompactEncrypt, importJWK } from 'jose'
import type { Client } from '../requests/client.ts'

const ALGORITHM = 'RSA-OAEP-256'

/** Encrypts a text so that only auth can read it: a compact JWE (RFC 7516) for auth's present key. */
export async function encryptForAuth(client: Pick<Client<typeof auth>, 'listKeys'>, text: string): Promise<string> {
  const [key] = (await client.listKeys({})).keys
  if (!key) throw new AppError('SERVICE_UNAVAILABLE', 'Auth has no key yet; try again', { retryAfter: 1 })
  const { kty, n, e, kid } = key
  if (kty !== 'RSA' || typeof n !== 'string' || typeof e !== 'string' || typeof kid !== 'string')
    throw new AppError('INTERNAL_ERROR', 'The key of auth cannot be used for encryption')
  const header = { alg: ALGORITHM, enc: 'A256GCM', kid }
  return new CompactEncrypt(new TextEncoder().encode(text))
    .setProtectedHeader(header)
    .encrypt(await importJWK({ kty, n, e, alg: ALGORITHM, use: 'enc' }))
}
