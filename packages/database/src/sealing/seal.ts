import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { AppError } from '@youworker/contracts/errors'

const FORMAT = 1
const NONCE_BYTES = 12
const TAG_BYTES = 16
const HEADER_BYTES = 1 + NONCE_BYTES + TAG_BYTES
/** Drawn together, because a draw costs as much as sealing a short text. */
const NONCES = 256
let nonces = Buffer.alloc(0)

/**
 * AES-256-GCM. Returns format byte, nonce, tag and ciphertext. `context` is the additional authenticated data: the value opens
 * only with the same context.
 */
export function seal(key: Buffer, plain: Uint8Array, context: string): Buffer {
  const nonce = freshNonce()
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(context))
  const body = [cipher.update(plain), cipher.final()]
  return Buffer.concat([Buffer.of(FORMAT), nonce, cipher.getAuthTag(), ...body])
}

function freshNonce(): Buffer {
  if (nonces.length === 0) nonces = randomBytes(NONCES * NONCE_BYTES)
  const nonce = nonces.subarray(0, NONCE_BYTES)
  nonces = nonces.subarray(NONCE_BYTES)
  return nonce
}

/** Throws `INTERNAL_ERROR` when `sealed` was changed or cut, or sealed with another context or key. */
export function open(key: Buffer, sealed: Uint8Array, context: string): Buffer {
  try {
    if (sealed.length < HEADER_BYTES || sealed[0] !== FORMAT) throw new TypeError('not a sealed value of this format')
    const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(1, 1 + NONCE_BYTES), { authTagLength: TAG_BYTES })
    decipher.setAAD(Buffer.from(context)).setAuthTag(sealed.subarray(1 + NONCE_BYTES, HEADER_BYTES))
    return Buffer.concat([decipher.update(sealed.subarray(HEADER_BYTES)), decipher.final()])
  } catch (cause) {
    throw new AppError(
      'INTERNAL_ERROR',
      `A sealed value does not open at ${context}: it was changed, moved or sealed with another key`,
      { cause },
    )
  }
}
