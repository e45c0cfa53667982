import type { IncomingMessage } from 'node:http'
import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net'
import { AppError } from '@youworker/contracts/errors'

const MAX_HOPS = 32

/** Eight 16-bit groups. */
function groupsOf(address: string): number[] {
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::')
  const numbers = (text: string) => (text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16)))
  const left = numbers(head)
  const right = tail === undefined ? [] : numbers(tail)
  return [...left, ...Array.from({ length: 8 - left.length - right.length }, () => 0), ...right]
}

/** One spelling for each address: zone and port dropped, IPv4-mapped IPv6 as IPv4, IPv6 in full groups. Not an address: `undefined`. */
export function canonicalAddress(text: string): string | undefined {
  const bare = text
    .trim()
    .replace(/^\[(.*)\](:\d+)?$/, '$1')
    .replace(/%.*$/, '')
  const address = isIP(bare) ? bare : bare.replace(/:\d+$/, '')
  if (isIPv4(address)) return address
  if (!isIPv6(address)) return undefined
  const groups = groupsOf(address)
  const [g6 = 0, g7 = 0] = groups.slice(6)
  const isMapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff
  if (isMapped) return [g6 >> 8, g6 & 255, g7 >> 8, g7 & 255].join('.')
  return groups.map((group) => group.toString(16)).join(':')
}

/** Whom an anonymous request counts for: one IPv4 address, or one IPv6 /64 (what one household or one rented machine gets). */
export function addressForLimits(canonical: string): string {
  return canonical.includes(':') ? `${canonical.split(':').slice(0, 4).join(':')}::/64` : canonical
}

const splitRange = (range: string): { address: string; bits: number | undefined } => {
  const [address = '', bits] = range.split('/')
  return { address, bits: bits === undefined ? undefined : Number(bits) }
}

export function isAddressRange(range: string): boolean {
  const { address, bits } = splitRange(range)
  const longest = isIPv4(address) ? 32 : 128
  return isIP(address) !== 0 && (bits === undefined || (Number.isInteger(bits) && bits >= 0 && bits <= longest))
}

export class AddressList {
  readonly #list = new BlockList()
  readonly isEmpty: boolean

  constructor(ranges: readonly string[]) {
    this.isEmpty = ranges.length === 0
    for (const range of ranges) {
      const { address, bits } = splitRange(range)
      const family = isIPv4(address) ? 'ipv4' : 'ipv6'
      if (bits === undefined) this.#list.addAddress(address, family)
      else this.#list.addSubnet(address, bits, family)
    }
  }

  /** Takes a canonical address. */
  includes(address: string): boolean {
    return !this.isEmpty && this.#list.check(address, isIPv4(address) ? 'ipv4' : 'ipv6')
  }
}

/** The nearest address that is no trusted proxy: `X-Forwarded-For` is read from its end, and only as far as each hop is trusted. */
export function clientAddress(incoming: IncomingMessage, proxies: AddressList): string {
  let address = canonicalAddress(incoming.socket.remoteAddress ?? '') ?? '0.0.0.0'
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

/** Straight from this machine, not through a proxy on it. */
export function isLoopback(incoming: IncomingMessage): boolean {
  const address = canonicalAddress(incoming.socket.remoteAddress ?? '') ?? ''
  const isLocal = address.startsWith('127.') || address === '0:0:0:0:0:0:0:1'
  return isLocal && incoming.headers['x-forwarded-for'] === undefined && incoming.headers.forwarded === undefined
}

/** An empty list lets everybody in. */
export function requireListed(address: string, allowList: AddressList): void {
  if (allowList.isEmpty || allowList.includes(address)) return
  throw new AppError('NOT_AUTHORIZED', 'Your address is not on the list of this installation (SECURITY__WHITELISTED_IPS)')
}
