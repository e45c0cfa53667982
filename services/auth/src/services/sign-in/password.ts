import { argon2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'

const derive = promisify(argon2)

/** OWASP Password Storage Cheat Sheet, argon2id: 19 MiB, 2 passes, 1 lane. */
const COST = { memory: 19_456, passes: 2, parallelism: 1 } as const
const SALT_BYTES = 16
const TAG_BYTES = 32
const PHC = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/

interface Parsed {
  readonly memory: number
  readonly passes: number
  readonly parallelism: number
  readonly salt: Buffer
  readonly tag: Buffer
}

/** Compared with the password of an unknown user: takes the same time and never matches. */
const UNKNOWN_USER: Parsed = { ...COST, salt: Buffer.alloc(SALT_BYTES), tag: randomBytes(TAG_BYTES) }

/** An argon2id hash as PHC string (github.com/P-H-C/phc-string-format). */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES)
  const tag = await tagOf(password, { ...COST, salt, tag: Buffer.alloc(TAG_BYTES) })
  return `$argon2id$v=19$m=${COST.memory},t=${COST.passes},p=${COST.parallelism}$${unpadded(salt)}$${unpadded(tag)}`
}

/** Takes the same time with and without a hash, so that response times do not reveal usernames. */
export async function verifyPassword(phc: string | null, password: string): Promise<boolean> {
  const known = phc === null ? UNKNOWN_USER : parse(phc)
  const tag = await tagOf(password, known)
  return timingSafeEqual(tag, known.tag) && phc !== null
}

/** NFC, because two keyboards may encode the same password in different code points (NIST SP 800-63B-4 section 3.1.1.2). */
const tagOf = (password: string, { memory, passes, parallelism, salt, tag }: Parsed): Promise<Buffer> =>
  derive('argon2id', { message: password.normalize('NFC'), nonce: salt, memory, passes, parallelism, tagLength: tag.length })

function parse(phc: string): Parsed {
  const [, memory, passes, parallelism, salt, tag] = PHC.exec(phc) ?? []
  if (salt === undefined || tag === undefined) throw new Error('a stored password hash is not an argon2id PHC string')
  return {
    memory: Number(memory),
    passes: Number(passes),
    parallelism: Number(parallelism),
    salt: Buffer.from(salt, 'base64'),
    tag: Buffer.from(tag, 'base64'),
  }
}

const unpadded = (bytes: Buffer): string => bytes.toString('base64').replaceAll('=', '')
