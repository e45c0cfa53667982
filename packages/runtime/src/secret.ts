import { hash, randomBytes } from 'node:crypto'

/** 256 random bits, base64url. */
export const newSecret = (): string => randomBytes(32).toString('base64url')
export const newApiKey = (): string => `yw_${newSecret()}`

/** The stored form of a secret. A slow hash would add nothing to 256 random bits. */
export const sha256 = (secret: string): Buffer => hash('sha256', secret, 'buffer')

/** The same in the form that travels: keys and session secrets leave the gateway only as this. */
export const sha256Hex = (secret: string): string => hash('sha256', secret, 'hex')
