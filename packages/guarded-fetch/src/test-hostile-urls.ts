import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { isIP } from 'node:net'
import { startDnsServer } from '@youworker/test-kit/dns-server'
import type { Logger } from '@youworker/runtime/logger'
import { GuardedFetcher } from './guarded-fetcher.ts'

/** A URL that must not be fetched, and the address it leads to when it names one. */
interface Hostile {
  readonly url: (port: number) => string
  readonly address: string | undefined
}

const octets = (address: string) => address.split('.').map(Number)
const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0')

/** The spellings of an IPv4 address that some URL parser or other takes for it. */
function spellings(address: string): string[] {
  const [a = 0, b = 0, c = 0, d = 0] = octets(address)
  const high = hex(a * 256 + b, 4)
  const low = hex(c * 256 + d, 4)
  return [
    address,
    `${address}.`,
    String(((a * 256 + b) * 256 + c) * 256 + d),
    `0x${high}${low}`,
    [a, b, c, d].map((octet) => `0${octet.toString(8).padStart(3, '0')}`).join('.'),
    `0x${hex(a, 2)}.${b}.${c * 256 + d}`,
    address.replace(/\d/g, (digit) => String.fromCodePoint(0xff10 + Number(digit))),
    address.replace(/\d/g, (digit) => `%3${digit}`),
    `[::ffff:${address}]`,
    `[::${high}:${low}]`,
    `[64:ff9b::${high}:${low}]`,
    `[64:ff9b:1::${high}:${low}]`,
    `[2002:${high}:${low}::1]`,
    `[2001:0:${high}:${low}:0:0:0:1]`,
    `public.test@${address}`,
  ]
}

const INTERNAL = [
  '127.0.0.1',
  '169.254.169.254',
  '10.0.0.1',
  '172.16.0.1',
  '192.168.1.1',
  '100.64.0.1',
  '168.63.129.16',
  '0.0.0.0',
]
const OTHERS = `100.100.100.200 192.0.0.192 192.88.99.1 198.18.0.1 203.0.113.1 224.0.0.1 240.0.0.1 255.255.255.255
  :: ::1 fe80::1 fec0::1 fc00::1 fd00:ec2::254 fd20:ce::254 ff02::1 100::1 2001:db8::1 5f00::1`.split(/\s+/)
const hostOf = (address: string) => (isIP(address) === 6 ? `[${address}]` : address)

export const HOSTILE: readonly Hostile[] = [
  ...INTERNAL.flatMap((address) =>
    spellings(address).map((host) => ({ url: (port: number) => `http://${host}:${port}/secret`, address })),
  ),
  ...OTHERS.map((address) => ({ url: (port: number) => `http://${hostOf(address)}:${port}/secret`, address })),
  ...['localhost', 'LOCALHOST.', 'a.localhost'].map((host) => ({
    url: (port: number) => `http://${host}:${port}/secret`,
    address: '127.0.0.1',
  })),
  ...[
    'file:///etc/passwd',
    'ftp://127.0.0.1/',
    'gopher://127.0.0.1:6379/_',
    'data:text/plain,a',
    'ws://127.0.0.1/',
    '//127.0.0.1/',
    '',
  ].map((url) => ({ url: () => url, address: undefined })),
  { url: (port) => `http://127.0.0.1:${port}\\@public.test/`, address: '127.0.0.1' },
]

export interface Surroundings {
  /** Where a public site answers. */
  readonly good: string
  readonly goodPort: number
  readonly badPort: number
  readonly allow: readonly string[]
}

export interface Outcome {
  readonly tried: number
  /** Addresses with ports, of tries that were not refused. */
  readonly fetched: readonly string[]
  /** Tries that should have asked the public site first, and did not: they would show nothing. */
  readonly idle: readonly string[]
  /** What succeeds: without these, nothing is shown by refusals. */
  readonly controls: readonly string[]
}

const LIMITS = { maxBytes: 1_000_000, timeoutMs: 20_000, signal: new AbortController().signal }
const quiet: Logger = {
  ...console,
  level: 'silent',
  isLevelEnabled: () => false,
  child: () => quiet,
  info: () => {},
  fatal: () => {},
}

/** Serves a public site and DNS in this process, and tries each hostile URL in eight ways. */
export async function tryHostileUrls({ good, goodPort, badPort, allow }: Surroundings): Promise<Outcome> {
  const visits = new Set<string>()
  const site = createServer((request, response) => serveSite(request, response, visits))
  site.listen(goodPort, '::')
  await once(site, 'listening')
  const asked = new Map<string, number>()
  const names = new Map<string, readonly (readonly string[])[]>()
  await using dns = await startDnsServer((name) => {
    const answers = names.get(name) ?? []
    // Both families are asked for at once, and each look-up counts once.
    const count = asked.get(name) ?? 0
    asked.set(name, count + 1)
    return answers[Math.min(Math.floor(count / 2), answers.length - 1)] ?? []
  })
  names.set('public.test', [[good]])
  const fetcher = new GuardedFetcher({ allow, refuse: [], closedPorts: [], dnsServers: [dns.address], logger: quiet })
  const origin = `http://public.test:${goodPort}`
  const to = (target: string, code = 302, id = '') => `${origin}/go?code=${code}&id=${id}&to=${encodeURIComponent(target)}`
  const outcome = { tried: 0, fetched: [] as string[], idle: [] as string[], controls: [] as string[] }
  const get = async (url: string) => {
    await using answer = await fetcher.get(url, LIMITS)
    let text = ''
    for await (const chunk of answer.body) text += chunk.toString()
    return text
  }
  const attempt = async (url: string, visit?: string) => {
    outcome.tried += 1
    try {
      await get(url)
      outcome.fetched.push(url)
    } catch {
      // Refused, as it should be; whoever waits at the socket knows better.
    }
    const name = URL.canParse(url) ? new URL(url).hostname : ''
    if ((visit !== undefined && !visits.has(visit)) || (names.has(name) && !asked.has(name))) outcome.idle.push(url)
  }
  for (const [n, { url, address }] of HOSTILE.entries()) {
    const target = url(badPort)
    const name = (kind: string, ...answers: string[][]) => {
      names.set(`${kind}${n}.test`, answers)
      return `${kind}${n}.test`
    }
    const bad = address ?? '127.0.0.1'
    await attempt(target)
    await attempt(to(target, 301, `301-${n}`), `301-${n}`)
    await attempt(to(target, 307, `307-${n}`), `307-${n}`)
    await attempt(`http://${name('bad', [bad])}:${badPort}/secret`)
    await attempt(`http://${name('mixed', [good, bad])}:${badPort}/secret`)
    // The first look-up is of a public address, all later ones are not: also for the second request of the redirect.
    const changing = name('changing', [good], [bad])
    await attempt(
      `http://${changing}:${goodPort}/go?code=302&id=changed-${n}&to=${encodeURIComponent(`http://${changing}:${badPort}/secret`)}`,
      `changed-${n}`,
    )
    await attempt(to(to(to(target, 303), 308), 302, `chain-${n}`), `chain-${n}`)
    await attempt(to(`http://${name('late', [bad])}:${badPort}/secret`, 302, `name-${n}`), `name-${n}`)
  }
  names.set('two.test', [[good, good]])
  for (const url of [
    `${origin}/hello`,
    `http://two.test:${goodPort}/hello`,
    to(`${origin}/hello`),
    `http://${hostOf(good)}:${goodPort}/hello`,
  ]) {
    if ((await get(url)) === 'hello') outcome.controls.push(url)
  }
  site.closeAllConnections()
  site.close()
  return outcome
}

function serveSite(request: IncomingMessage, response: ServerResponse, visits: Set<string>): void {
  const url = new URL(request.url ?? '/', 'http://public.test')
  if (url.pathname === '/go') {
    visits.add(url.searchParams.get('id') ?? '')
    response
      .writeHead(Number(url.searchParams.get('code')), {
        location: Buffer.from(url.searchParams.get('to') ?? '').toString('latin1'),
      })
      .end()
  } else {
    response.end('hello')
  }
}
