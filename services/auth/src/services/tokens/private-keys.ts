import { createPrivateKey, type KeyObject } from 'node:crypto'

const SMALLEST_BITS = 2_048

/** The keys of SECURITY__JWT_PRIVATE_KEY, at least one. Errors name the setting and contain no part of a key. */
export function readPrivateKeys(setting: string): KeyObject[] {
  const problem = privateKeyProblem(setting)
  if (problem !== undefined) throw new Error(`SECURITY__JWT_PRIVATE_KEY ${problem}`)
  return blocksOf(setting).map((pem) => createPrivateKey(pem))
}

/** What is wrong with the value of that setting, to be said behind its name. */
export function privateKeyProblem(setting: string): string | undefined {
  const blocks = blocksOf(setting)
  if (blocks.length === 0) return 'holds no private key in PEM'
  return blocks.every(isStrongRsaKey) ? undefined : `must be an RSA key of at least ${SMALLEST_BITS} bits`
}

function blocksOf(setting: string): string[] {
  const text = setting.includes('-----BEGIN') ? setting : Buffer.from(setting, 'base64').toString('utf8')
  const blocks = text
    .replaceAll('\\n', '\n')
    .match(/-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----[^-]+-----END [A-Z ]{0,20}PRIVATE KEY-----/g)
  return [...(blocks ?? [])]
}

function isStrongRsaKey(pem: string): boolean {
  try {
    const { asymmetricKeyType, asymmetricKeyDetails } = createPrivateKey(pem)
    return asymmetricKeyType === 'rsa' && (asymmetricKeyDetails?.modulusLength ?? 0) >= SMALLEST_BITS
  } catch {
    return false
  }
}
