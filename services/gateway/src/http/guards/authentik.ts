import { AppError } from '@youworker/contracts/errors'
import type { Deps } from '../deps.ts'
import type { RequestContext } from '../request-context.ts'
import { canonicalAddress } from './client-address.ts'

/** The user a trusted proxy says it signed in, where the setting allows it. From everybody else the header is ignored. */
export function proxyUsername(
  { incoming }: RequestContext,
  { config, proxies }: Pick<Deps, 'config' | 'proxies'>,
): string | undefined {
  const username = incoming.headers['x-authentik-username']
  if (!config.SECURITY__AUTHENTIK_ENABLED || typeof username !== 'string' || username === '') return undefined
  const peer = canonicalAddress(incoming.socket.remoteAddress ?? '')
  return peer !== undefined && proxies.includes(peer) ? username : undefined
}

/** A username header never makes anyone somebody else: it may only contradict the credential, which then is refused. */
export function requireSameUser(claimed: string | undefined, username: string): void {
  if (claimed === undefined || claimed.normalize('NFC') === username.normalize('NFC')) return
  throw new AppError('NOT_AUTHENTICATED', 'Not authenticated: the proxy signed in another user than this key belongs to')
}
