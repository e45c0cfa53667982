import { AppError } from '@youworker/contracts/errors'
import type { RequestContext } from '../request-context.ts'
import { type AddressList, canonicalAddress } from './client-address.ts'

/** The user that a proxy of `identityProxies` reports as signed in. From any other peer the header is ignored. */
export function proxyUsername({ incoming }: RequestContext, identityProxies: AddressList): string | undefined {
  const username = incoming.headers['x-authentik-username']
  if (identityProxies.isEmpty || typeof username !== 'string' || username === '') return undefined
  const peer = canonicalAddress(incoming.socket.remoteAddress ?? '')
  return peer !== undefined && identityProxies.includes(peer) ? username : undefined
}

/** The header signs nobody in: it can only make a credential of another user refused. */
export function requireSameUser(claimed: string | undefined, username: string): void {
  if (claimed === undefined || claimed.normalize('NFC') === username.normalize('NFC')) return
  throw new AppError('NOT_AUTHENTICATED', 'Not authenticated: the proxy signed in another user than this key belongs to')
}
