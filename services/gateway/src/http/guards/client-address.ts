import type { IncomingMessage } from 'node:http'
import { BlockList, isIP, isIPv4 } from 'node:net'
import { AppError } from '@youworker/contracts/errors'
import ipaddr from 'ipaddr.js'

const MAX_HOPS = 32

/**
 * One spelling for each address: without zone and port, IPv4-mapped IPv6 as IPv4, IPv6 in eight groups. `undefined` when the
 * text is no address. `isIP` decides that, because ipaddr.js also reads octal and shortened forms like `0177.1`.
 */
export function canonicalAddress(text: string): string | undefined {
  const [bare = ''] = text
    .trim()
    .replace(/^\[(.*)\](:\d+)?$/, '$1')
    .split('%', 1)
  const address = isIP(bare) ? bare : bare.replace(/:\d+$/, '')
  if (isIPv4(address)) return address
  return isIP(address) ? ipaddr.process(address).toNormalizedString() : undefined
}

/** The key for limits of anonymous clients: the IPv4 address, or the IPv6 /64 that one household or one rented machine gets. */
export function addressForLimits(canonical: string): string {
  return canonical.includes(':') ? `${canonical.split(':').slice(0, 4).join(':')}::/64` : canonical
}

export const isAddressRange = (range: string): boolean =>
  isIP(range) !== 0 || ipaddr.IPv4.isValidCIDRFourPartDecimal(range) || ipaddr.IPv6.isValidCIDR(range)

export class AddressList {
  readonly #list = new BlockList()
  readonly isEmpty: boolean

  constructor(ranges: readonly string[]) {
    this.isEmpty = ranges.length === 0
    for (const range of ranges) {
      if (!range.includes('/')) this.#list.addAddress(range, isIPv4(range) ? 'ipv4' : 'ipv6')
      else {
        const [network, bits] = ipaddr.parseCIDR(range)
        this.#list.addSubnet(network.toString(), bits, network.kind())
      }
    }
  }

  /** Takes a canonical address. */
  includes(address: string): boolean {
    return !this.isEmpty && this.#list.check(address, isIPv4(address) ? 'ipv4' : 'ipv6')
  }
}

const socketAddress = ({ socket }: IncomingMessage): string => canonicalAddress(socket.remoteAddress ?? '') ?? '0.0.0.0'

/** The nearest address that is no trusted proxy: `X-Forwarded-For` is read from its end, as far as each hop is trusted. */
export function clientAddress(incoming: IncomingMessage, proxies: AddressList): string {
  let address = socketAddress(incoming)
  if (!proxies.includes(address)) return address
  const forwarded = incoming.headers['x-forwarded-for']
  const hops = (Array.isArray(forwarded) ? forwarded.join(',') : (forwarded ?? '')).split(',').slice(-MAX_HOPS)
  for (const hop of hops.reverse()) {
    const next = canonicalAddress(hop)
    if (next === undefined) break
    address = next
    if (!proxies.includes(address)) break
  }
  return address
}

/** Headers by which proxies tell that a request is somebody else's. */
const FORWARDED = ['x-forwarded-for', 'forwarded', 'x-real-ip', 'x-forwarded-host', 'x-forwarded-proto', 'via'] as const

/**
 * Whether the request is of a listed address. A forwarded one is only when a trusted proxy names the address of a client in
 * `X-Forwarded-For`: an unknown proxy on this machine would make all its users local.
 */
export function isPeer(incoming: IncomingMessage, peers: AddressList, proxies: AddressList): boolean {
  const client = clientAddress(incoming, proxies)
  if (!peers.includes(client)) return false
  if (FORWARDED.every((name) => incoming.headers[name] === undefined)) return true
  return proxies.includes(socketAddress(incoming)) && !proxies.includes(client)
}

/** Throws `NOT_AUTHORIZED`. An empty list allows every address. */
export function requireListed(address: string, allowList: AddressList): void {
  if (allowList.isEmpty || allowList.includes(address)) return
  throw new AppError('NOT_AUTHORIZED', 'Your address is not on the list of this installation (SECURITY__WHITELISTED_IPS)')
}
