const LOOPBACK = ['127.0.0.1', 'localhost', '[::1]']
const WILDCARDS = new Set(['0.0.0.0', '::', ''])

/** The host names of this process, as a `Host` header may have them (without port). */
export function ownHosts(bound: string, url: string | undefined): ReadonlySet<string> {
  const given = [
    ...(WILDCARDS.has(bound) ? [] : [bound.includes(':') ? `[${bound}]` : bound]),
    ...(url === undefined ? [] : [new URL(url).hostname]),
  ]
  return new Set([...LOOPBACK, ...given.map((host) => host.toLowerCase())])
}

/**
 * Whether a request may come from a page whose own name resolves to our address (DNS rebinding): its `Host` or its `Origin`
 * is not ours.
 */
export function isForeign(hosts: ReadonlySet<string>, host: string | undefined, origin: string | undefined): boolean {
  const named = hostOf(host === undefined ? '' : `http://${host}`)
  if (named === undefined || !hosts.has(named)) return true
  return origin !== undefined && !hosts.has(hostOf(origin) ?? '')
}

const hostOf = (url: string): string | undefined => (URL.canParse(url) ? new URL(url).hostname : undefined)
