import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { AppError } from '@youworker/contracts/errors'

const FORMAT = 1
const NONCE_BYTES = 12
const TAG_BYTES = 16
const HEADER_BYTES = 1 + NONCE_BYTES + TAG_BYTES

/** AES-256-GCM: format byte, nonce, tag, ciphertext. `place` is authenticated, so that it opens nowhere else. */
export function seal(key: Buffer, plain: Uint8Array, place: string): Buffer {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(place))
  const body = [cipher.update(plain), cipher.final()]
  return Buffer.concat([Buffer.of(FORMAT), nonce, cipher.getAuthTag(), ...body])
}

/** Throws `INTERNAL_ERROR` when `sealed` was changed, cut, moved from another place or sealed with another key. */
export function open(key: Buffer, sealed: Uint8Array, place: string): Buffer {
  try {
    if (sealed.length < HEADER_BYTES || sealed[0] !== FORMAT) throw new TypeError('not a sealed value of this format')
    const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(1, 1 + NONCE_BYTES), { authTagLength: TAG_BYTES })
    decipher.setAAD(Buffer.from(place)).setAuthTag(sealed.subarray(1 + NONCE_BYTES, HEADER_BYTES))
    return Buffer.concat([decipher.update(sealed.subarray(HEADER_BYTES)), decipher.final()])
  } catch (cause) {
    throw new AppError(
      'INTERNAL_ERROR',
      `A sealed value does not open at ${place}: it was changed, moved or sealed with another key`,
      { cause },
    )
  }
}
