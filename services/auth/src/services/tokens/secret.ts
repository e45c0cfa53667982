import { hash, randomBytes } from 'node:crypto'

/** 256 random bits, base64url. */
export const newSecret = (): string => randomBytes(32).toString('base64url')
export const newApiKey = (): string => `yw_${newSecret()}`

/** What is kept of a secret that has 256 random bits: a slow hash would add nothing. */
export const sha256 = (secret: string): Buffer => hash('sha256', secret, 'buffer')
