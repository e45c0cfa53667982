import { hkdfSync } from 'node:crypto'
import { AppError } from '@youworker/contracts/errors'

const KEY_BYTES = 32
const KEY = /^[A-Za-z0-9_-]{43}=?$/
const ENTRY = /^(\d{1,9}):(.*)$/
const SETTING = 'SECURITY__CHAT_MESSAGE_ENCRYPTION_SECRET'

/** Keys that wrap the data keys of spaces. The one with the highest number wraps new data keys; the others only unwrap. */
export interface KeyRing {
  readonly active: number
  /** Throws when the ring lacks that key. */
  get(version: number): Buffer
}

/** Parses a Fernet key (32 bytes in base64url: version 1) or a list `1:key,2:key`. Error messages never contain a key. */
export function parseKeyRing(secret: string): KeyRing {
  const keys = new Map<number, Buffer>()
  for (const entry of secret.split(',').map((part) => part.trim())) {
    const numbered = ENTRY.exec(entry)
    const version = Number(numbered?.[1] ?? 1)
    if (numbered === null && secret.includes(',')) throw invalid('every key of a list needs a number: "1:key,2:key"')
    if (version < 1) throw invalid('key numbers start at 1')
    if (keys.has(version)) throw invalid(`key ${version} is there twice`)
    keys.set(version, derive(numbered?.[2] ?? entry, version))
  }
  return {
    active: Math.max(...keys.keys()),
    get(version) {
      const key = keys.get(version)
      if (key === undefined)
        throw new AppError(
          'INTERNAL_ERROR',
          `${SETTING} lacks key ${version}, which still wraps data: put it back beside the newer ones`,
        )
      return key
    },
  }
}

/** HKDF (RFC 5869), so that the wrapping key differs from any other use of the same secret. */
function derive(text: string, version: number): Buffer {
  if (!KEY.test(text)) throw invalid(`key ${version} is not 32 bytes in base64url (43 or 44 characters)`)
  return Buffer.from(hkdfSync('sha256', Buffer.from(text, 'base64url'), '', 'youworker data key wrap', KEY_BYTES))
}

const invalid = (reason: string): AppError =>
  new AppError('VALIDATION_ERROR', `${SETTING}: ${reason}; \`npm run youworker -- keys generate\` makes a good one`)
