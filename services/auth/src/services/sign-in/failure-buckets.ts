import type { SignInClient } from '@youworker/contracts/auth'
import { sha256 } from '@youworker/runtime/secret'
import type { ClientHashes } from '../../repositories/known-client-repository.ts'
import type { FailureBucket } from '../../repositories/sign-in-failure-repository.ts'

/** `device`, `address`: the user has signed in on this device or from this address before. */
export type Familiarity = 'device' | 'address' | 'unknown'

/** The failure from which on each one blocks. An address may be a whole office's, and a name's are those of all strangers. */
const FIRST_BLOCKING = { pair: 5, device: 5, name: 20, address: 100 } as const
/** Wrong keys of addresses are counted in this many buckets, so that they fill no table. A right key is never blocked. */
const KEY_BUCKETS = 65_536

type Buckets = readonly [FailureBucket, ...FailureBucket[]]

/**
 * What a wrong password counts against, the client's own count first. A name is only blocked for clients that its user never
 * signed in with, an address only for names that never signed in there: nobody can lock somebody else out of a known device, or
 * out of a known address from elsewhere. Hashed, because people sometimes type a password into the field of the name.
 */
export function passwordBuckets(name: string, { address, device_sha256 }: SignInClient, familiarity: Familiarity): Buckets {
  if (familiarity === 'device') return [bucket(`device ${device_sha256} ${name}`, FIRST_BLOCKING.device)]
  const pair = bucket(`pair ${address} ${name}`, FIRST_BLOCKING.pair)
  if (familiarity === 'address') return [pair]
  return [pair, bucket(`name ${name}`, FIRST_BLOCKING.name), bucket(`address ${address}`, FIRST_BLOCKING.address)]
}

export function keyBuckets({ address }: SignInClient): Buckets {
  const number = sha256(address).readUInt32BE() % KEY_BUCKETS
  return [bucket(`keys ${number}`, FIRST_BLOCKING.address)]
}

/** As they are stored of the user's own. */
export const clientHashes = ({ address, device_sha256 }: SignInClient): ClientHashes => ({
  device: Buffer.from(device_sha256, 'hex'),
  address: sha256(`address ${address}`),
})

const bucket = (text: string, firstBlocking: number): FailureBucket => ({ hash: sha256(text), firstBlocking })
