import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import type { TransportKey } from '@youworker/contracts/agent/model-backends'
import { AppError } from '@youworker/contracts/errors'
import { compactDecrypt, CompactEncrypt, importJWK } from 'jose'

const ALGORITHM = 'ECDH-ES'
/** PKCS #8 of an X25519 key (RFC 8410 section 7), up to its 32 bytes. */
const PKCS8 = Buffer.from('302e020100300506032b656e04220420', 'hex')

/** Encrypts a text so that only the service with this key can read it: a compact JWE (RFC 7516). */
export async function encryptForKey({ kid, ...key }: TransportKey, text: string): Promise<string> {
  return new CompactEncrypt(new TextEncoder().encode(text))
    .setProtectedHeader({ alg: ALGORITHM, enc: 'A256GCM', kid })
    .encrypt(await importJWK(key, ALGORITHM))
}

interface Ring {
  readonly active: number
  /** 32 bytes. */
  get(version: number): Buffer
}

/** The keys with which secrets come to a service, the same in each of its processes: they follow from its key ring. */
export class TransportKeys {
  readonly #ring: Ring

  constructor(ring: Ring) {
    this.#ring = ring
  }

  get publicKey(): TransportKey {
    const { x = '' } = createPublicKey(this.#private(this.#ring.active)).export({ format: 'jwk' })
    return { kty: 'OKP', crv: 'X25519', x, kid: String(this.#ring.active) }
  }

  /** Rejects with `VALIDATION_ERROR` what is for another key, or no JWE. */
  async decrypt(jwe: string): Promise<string> {
    try {
      const { plaintext } = await compactDecrypt(jwe, ({ kid }) => this.#private(Number(kid)), {
        keyManagementAlgorithms: [ALGORITHM],
        contentEncryptionAlgorithms: ['A256GCM'],
      })
      return new TextDecoder().decode(plaintext)
    } catch (cause) {
      throw new AppError('VALIDATION_ERROR', 'A secret could not be read; send it again', { cause })
    }
  }

  #private(version: number): KeyObject {
    return createPrivateKey({ key: Buffer.concat([PKCS8, this.#ring.get(version)]), format: 'der', type: 'pkcs8' })
  }
}
