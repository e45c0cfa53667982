import { hkdfSync } from 'node:crypto'
import { AppError } from '@youworker/contracts/errors'

const KEY_BYTES = 32
const KEY = /^[A-Za-z0-9_-]{43}=?$/
const ENTRY = /^(\d{1,9}):(.*)$/

/** What the keys of one setting are for. */
interface KeyUse {
  readonly setting: string
  /** Info of HKDF. */
  readonly purpose: string
  /** What a missing key still does: `lacks key 1, which …`. */
  readonly still: string
}
export const SEALING: KeyUse = {
  setting: 'SECURITY__CHAT_MESSAGE_ENCRYPTION_SECRET',
  purpose: 'youworker data key wrap',
  still: 'still wraps data',
}
export const TRANSPORT: KeyUse = { ...SEALING, purpose: 'youworker key transport', still: 'opens a secret on its way' }
export const AUDIT: KeyUse = {
  setting: 'SECURITY__AUDIT_KEY',
  purpose: 'youworker audit chain',
  still: 'chains entries of the audit trail',
}

/** Numbered keys of one use. The one with the highest number is used for what is new; the others only for what they made. */
export interface KeyRing {
  readonly active: number
  /** Throws when the ring lacks that key. */
  get(version: number): Buffer
}

/** Parses a Fernet key (32 bytes in base64url: version 1) or a list `1:key,2:key`. Error messages never contain a key. */
export function parseKeyRing(secret: string, use: KeyUse = SEALING): KeyRing {
  const keys = new Map<number, Buffer>()
  const invalid = (reason: string): AppError =>
    new AppError('VALIDATION_ERROR', `${use.setting}: ${reason}; \`npm run youworker -- keys generate\` makes a good one`)
  for (const entry of secret.split(',').map((part) => part.trim())) {
    const numbered = ENTRY.exec(entry)
    const version = Number(numbered?.[1] ?? 1)
    if (numbered === null && secret.includes(',')) throw invalid('every key of a list needs a number: "1:key,2:key"')
    if (version < 1) throw invalid('key numbers start at 1')
    if (keys.has(version)) throw invalid(`key ${version} is there twice`)
    const key = numbered?.[2] ?? entry
    if (!KEY.test(key)) throw invalid(`key ${version} is not 32 bytes in base64url (43 or 44 characters)`)
    keys.set(version, derive(key, use))
  }
  return {
    active: Math.max(...keys.keys()),
    get(version) {
      const key = keys.get(version)
      if (key === undefined)
        throw new AppError(
          'INTERNAL_ERROR',
          `${use.setting} lacks key ${version}, which ${use.still}: put it back beside the others`,
        )
      return key
    },
  }
}

/** What is wrong with a ring, without the name of its setting. */
export function keyRingProblem(ring: string, use: KeyUse): string | undefined {
  try {
    parseKeyRing(ring, use)
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message.replace(`${use.setting}: `, '') : String(error)
  }
}

/** HKDF (RFC 5869), so that the key of one use differs from any other use of the same secret. */
const derive = (key: string, { purpose }: KeyUse): Buffer =>
  Buffer.from(hkdfSync('sha256', Buffer.from(key, 'base64url'), '', purpose, KEY_BYTES))
