import type { LookupAddress } from 'node:dns'
import { lookup, Resolver } from 'node:dns/promises'
import { isIP } from 'node:net'

const TRY_MS = 2_000
const TRIES = 2

/** As every program of the machine resolves it: for names of the operator, which may stand in /etc/hosts. */
export async function lookUpName(host: string): Promise<LookupAddress[]> {
  try {
    return await lookup(host, { all: true })
  } catch {
    return []
  }
}

/**
 * All addresses of a host, none when it has none. Asks DNS itself: `getaddrinfo` would keep a thread of the process's few for as long
 * as the host's own DNS server likes.
 */
export async function resolveHost(host: string, servers: readonly string[], signal: AbortSignal): Promise<LookupAddress[]> {
  const family = isIP(host)
  if (family !== 0) return [{ address: host, family }]
  signal.throwIfAborted()
  const resolver = new Resolver({ timeout: TRY_MS, tries: TRIES })
  if (servers.length > 0) resolver.setServers(servers)
  const cancel = () => resolver.cancel()
  signal.addEventListener('abort', cancel, { once: true })
  try {
    const [ipv4, ipv6] = await Promise.all([resolver.resolve4(host).catch(() => []), resolver.resolve6(host).catch(() => [])])
    signal.throwIfAborted()
    return [...ipv4.map((address) => ({ address, family: 4 })), ...ipv6.map((address) => ({ address, family: 6 }))]
  } finally {
    signal.removeEventListener('abort', cancel)
  }
}
