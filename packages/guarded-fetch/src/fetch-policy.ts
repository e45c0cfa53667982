import { isIP } from 'node:net'
import { networkInterfaces } from 'node:os'
import { AddressRanges, isMetadata, isPublic, isRange } from './address-ranges.ts'

/** What an operator may set. */
export interface PolicySettings {
  /** `host`, `host:port`, `address`, `[address]:port`, `range` or `range:port`; without a port its other ports are open as elsewhere. */
  readonly allow: readonly string[]
  /** Addresses and ranges that are never fetched, such as the public ones of the own network. */
  readonly refuse: readonly string[]
  /** Ports of this system's own parts. */
  readonly closedPorts: readonly number[]
}

interface AllowedTarget {
  /** In lower case; an address or a range when `ranges` is set. */
  readonly host: string
  readonly ranges: AddressRanges | undefined
  readonly port: number | undefined
}

/** Ports of other protocols, whose servers may take a request for a command (WHATWG Fetch, "port blocking"). */
const BAD_PORTS: readonly number[] = [
  0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110, 111, 113,
  115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556,
  563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667,
  6668, 6669, 6679, 6697, 10080,
]
/** As these parts of this system listen by default: Postgres, NATS, Qdrant, Ollama. */
const USUAL_PORTS: readonly number[] = [4222, 5432, 6222, 6333, 6334, 8222, 11434]

const ENTRY = /^(?:\[(?<bracketed>[^\]]+)\]|(?<plain>[^[\]]+?))(?::(?<port>\d{1,5}))?$/

/** `undefined` when the text is no such entry. */
export function parseAllowed(text: string): AllowedTarget | undefined {
  if (isRange(text)) return { host: text, ranges: new AddressRanges([text]), port: undefined }
  const { bracketed, plain, port: digits } = ENTRY.exec(text)?.groups ?? {}
  const host = bracketed ?? plain ?? ''
  const port = digits === undefined ? undefined : Number(digits)
  if (port !== undefined && (port < 1 || port > 65_535)) return undefined
  if (isRange(host)) return { host, ranges: new AddressRanges([host]), port }
  return bracketed === undefined && isHostName(host) ? { host: host.toLowerCase(), ranges: undefined, port } : undefined
}

/** A name as a URL has it: `http://0x7f.1` names an address, and `a/b` or `a@b` are no names. */
function isHostName(host: string): boolean {
  const url = `http://${host}/`
  return URL.canParse(url) && new URL(url).hostname === host.toLowerCase() && isIP(host) === 0
}

/** Which hosts, ports and addresses may be fetched. */
export class FetchPolicy {
  readonly #allowed: readonly AllowedTarget[]
  readonly #refused: AddressRanges
  readonly #closedPorts: ReadonlySet<number>

  constructor({ allow, refuse, closedPorts }: PolicySettings) {
    this.#allowed = allow.flatMap((text) => parseAllowed(text) ?? [])
    this.#refused = new AddressRanges(refuse)
    this.#closedPorts = new Set([...BAD_PORTS, ...USUAL_PORTS, ...closedPorts])
  }

  /** The operator has named this host: what it resolves to is the operator's choice. */
  allowsName(host: string, port: number): boolean {
    return this.#allowed.some((target) => target.ranges === undefined && target.host === host && this.#opens(target, port))
  }

  /** Whether an address to which a host that nobody named resolves may be connected to. */
  allowsAddress(address: string, port: number): boolean {
    if (isMetadata(address)) return false
    if (this.#allowed.some((target) => target.ranges?.has(address) && this.#opens(target, port))) return true
    return isPublic(address) && !this.#closedPorts.has(port) && !this.#refused.has(address) && !isOwn(address)
  }

  #opens(target: AllowedTarget, port: number): boolean {
    return target.port === undefined ? !this.#closedPorts.has(port) : target.port === port
  }
}

/** An address of this machine: whatever listens here would take a request for one from inside. */
const isOwn = (wanted: string): boolean =>
  Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ address }) => address === wanted))
