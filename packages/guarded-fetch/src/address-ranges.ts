import { BlockList, isIP } from 'node:net'

/** IANA IPv4 Special-Purpose Address Registry, multicast, and the address at which Azure serves its machines. */
const SPECIAL_IPV4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '168.63.129.16/32',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.31.196.0/24',
  '192.52.193.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '192.175.48.0/24',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
]

/** All that IANA has given out for the public is here; NAT64, IPv4-mapped and -compatible, local and multicast addresses are not. */
const GLOBAL_IPV6 = '2000::/3'
/** Special ones within: Teredo and other protocol assignments, documentation, 6to4, AS112. */
const SPECIAL_IPV6 = ['2001::/23', '2001:db8::/32', '2002::/16', '2620:4f:8000::/48', '3fff::/20']

/** Where clouds serve credentials to their machines. Never fetched, whatever an operator allows. */
const METADATA = [
  '168.63.129.16/32',
  '169.254.169.253/32',
  '169.254.169.254/32',
  '169.254.170.2/32',
  '169.254.170.23/32',
  '100.100.100.200/32',
  '192.0.0.192/32',
  'fd00:ec2::23/128',
  'fd00:ec2::254/128',
  'fd20:ce::254/128',
]

/** Addresses and ranges in CIDR notation; an address alone is a range of one. Throws for anything else. */
export class AddressRanges {
  readonly #list = new BlockList()

  constructor(ranges: readonly string[]) {
    for (const range of ranges) this.#add(range)
  }

  #add(range: string): void {
    const [network = '', bits] = range.split('/')
    const family = isIP(network) === 6 ? 'ipv6' : 'ipv4'
    if (bits === undefined) this.#list.addAddress(network, family)
    else this.#list.addSubnet(network, Number(bits), family)
  }

  /** An IPv4-mapped IPv6 address counts as the IPv4 address. */
  has(address: string): boolean {
    return this.#list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
  }
}

/** Whether the text is an address or a range in CIDR notation. */
export function isRange(text: string): boolean {
  const [network = '', bits, ...rest] = text.split('/')
  const most = isIP(network) === 6 ? 128 : 32
  return isIP(network) !== 0 && rest.length === 0 && (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= most))
}

const specialIpv4 = new AddressRanges(SPECIAL_IPV4)
const globalIpv6 = new AddressRanges([GLOBAL_IPV6])
const specialIpv6 = new AddressRanges(SPECIAL_IPV6)
const metadata = new AddressRanges(METADATA)

export const isMetadata = (address: string): boolean => metadata.has(address)

/** Whether a packet to the address leaves for the public internet as it is. */
export const isPublic = (address: string): boolean =>
  isIP(address) === 4 ? !specialIpv4.has(address) : globalIpv6.has(address) && !specialIpv6.has(address)
