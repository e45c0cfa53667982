import type { LookupAddress } from 'node:dns'
import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { LookupFunction } from 'node:net'
import { AppError } from '@youworker/contracts/errors'
import type { Logger } from '@youworker/runtime/logger'
import { isMetadata } from './address-ranges.ts'
import { ACCEPTED_ENCODINGS, boundedBody } from './bounded-body.ts'
import { FetchPolicy, type PolicySettings } from './fetch-policy.ts'
import { lookUpName, resolveHost } from './resolve-host.ts'

interface FetcherSettings extends PolicySettings {
  /** Without any, those of the machine. */
  readonly dnsServers: readonly string[]
  readonly logger: Logger
}

export interface FetchOptions {
  readonly maxBytes: number
  /** From the first look-up to the last byte, redirects included. */
  readonly timeoutMs: number
  /** Longest time without a byte; 15 s. */
  readonly idleMs?: number
  readonly signal: AbortSignal
  readonly headers?: Readonly<Record<string, string>>
  /** A redirect for which this is false is not followed. */
  readonly mayFollow?: (url: URL) => boolean
}

export interface Fetched extends AsyncDisposable {
  /** After redirects. */
  readonly url: URL
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** Decoded. Throws a 4xx or 502 code when it does not end well. What is not read must be disposed of. */
  readonly body: AsyncIterable<Buffer>
}

const MAX_REDIRECTS = 5
const MAX_URL = 2_048
const HEADER_BYTES = 16 * 1024
const IDLE_MS = 15_000
const REDIRECTS: readonly (number | undefined)[] = [301, 302, 303, 307, 308]

/** The program names itself so that site owners can address it in robots.txt. */
export const USER_AGENT = 'YouWorker'

/**
 * Fetches what users name, from public addresses and from those that the operator allows: each host is resolved once, all its addresses
 * are checked, and the connection is made to one of these and to nothing else. The same again for each redirect.
 */
export class GuardedFetcher {
  readonly #policy: FetchPolicy
  readonly #dnsServers: readonly string[]
  readonly #logger: Logger

  constructor({ dnsServers, logger, ...policy }: FetcherSettings) {
    this.#policy = new FetchPolicy(policy)
    this.#dnsServers = dnsServers
    this.#logger = logger
  }

  /**
   * Throws `VALIDATION_ERROR` for a URL that may not be fetched and `EXTERNAL_SERVICE_ERROR` for a site that does not answer; a status
   * of the site that says no is none of these.
   */
  async get(address: string, options: FetchOptions): Promise<Fetched> {
    const timeout = AbortSignal.timeout(options.timeoutMs)
    const signal = AbortSignal.any([options.signal, timeout])
    try {
      const { url, message } = await this.#follow(parse(address), options, signal)
      const body = translated(boundedBody(message, options.maxBytes), (error) =>
        failure(error, url.href, options.signal, timeout),
      )
      const { statusCode: status = 0, headers } = message
      return { url, status, headers, body, [Symbol.asyncDispose]: async () => void message.destroy() }
    } catch (error) {
      throw failure(error, address, options.signal, timeout)
    }
  }

  /** Throws `VALIDATION_ERROR` when `get` would not even connect. */
  async check(address: string, signal: AbortSignal): Promise<URL> {
    const url = parse(address)
    await this.#addresses(url, signal)
    return url
  }

  async #follow(first: URL, options: FetchOptions, signal: AbortSignal): Promise<{ url: URL; message: IncomingMessage }> {
    let url = first
    for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects += 1) {
      const addresses = await this.#addresses(url, signal)
      const message = await ask(url, addresses, options, signal)
      const { location } = message.headers
      if (location === undefined || !REDIRECTS.includes(message.statusCode)) return { url, message }
      message.destroy()
      // Sites write it as UTF-8; Node reads headers as Latin-1.
      const target = Buffer.from(location, 'latin1').toString()
      if (!URL.canParse(target, url))
        throw new AppError('EXTERNAL_SERVICE_ERROR', 'the site redirects to something that is no URL')
      url = parse(new URL(target, url).href)
      if (options.mayFollow?.(url) === false) throw refused(url, 'a redirect leads there, where it may not')
    }
    throw new AppError('EXTERNAL_SERVICE_ERROR', `the site redirects more than ${MAX_REDIRECTS} times`)
  }

  /** All addresses of the host, each checked. One that is not public refuses all of them: a public host has no such address. */
  async #addresses(url: URL, signal: AbortSignal): Promise<readonly LookupAddress[]> {
    const host = url.hostname.replace(/^\[|\]$/g, '')
    const port = Number(url.port || (url.protocol === 'https:' ? 443 : 80))
    const isNamed = this.#policy.allowsName(host, port)
    const addresses = isNamed ? await lookUpName(host) : await resolveHost(host, this.#dnsServers, signal)
    const bad = addresses.find(({ address }) => (isNamed ? isMetadata(address) : !this.#policy.allowsAddress(address, port)))
    if (bad === undefined && addresses.length > 0) return addresses
    if (bad) this.#logger.info({ host, port, address: bad.address }, 'a URL of a user was refused')
    // One text for both, so that nobody learns from it which names a private network has.
    throw refused(url, 'there is no public site at this host and port; an operator can allow internal ones with FETCH__ALLOW')
  }
}

/** Throws `VALIDATION_ERROR` for what is no `http` or `https` URL or carries credentials. */
function parse(address: string): URL {
  if (address.length > MAX_URL) throw new AppError('VALIDATION_ERROR', `A URL may have at most ${MAX_URL} characters`)
  if (!URL.canParse(address)) throw new AppError('VALIDATION_ERROR', 'This is no URL; it begins with https:// or http://')
  const url = new URL(address)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw refused(url, 'only http and https are fetched')
  if (url.username !== '' || url.password !== '') throw refused(url, 'it carries a user name or password; leave them out')
  url.hash = ''
  return url
}

/** The path may be private, so the text has only the origin. */
const refused = ({ protocol, host }: URL, why: string) =>
  new AppError('VALIDATION_ERROR', `${protocol}//${host} is not fetched: ${why}`)

async function ask(
  url: URL,
  addresses: readonly LookupAddress[],
  { headers = {}, idleMs = IDLE_MS }: FetchOptions,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  // The host is not resolved again: the connection gets the checked addresses. For an address as host, it is that one.
  const lookup: LookupFunction = (_host, _options, done) => done(null, [...addresses])
  const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, {
    headers: { accept: '*/*', ...headers, 'user-agent': USER_AGENT, 'accept-encoding': ACCEPTED_ENCODINGS },
    agent: false,
    lookup,
    maxHeaderSize: HEADER_BYTES,
    timeout: idleMs,
    signal,
  })
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  let answering: { destroy(error: Error): unknown } = request
  request.once('response', (message: IncomingMessage) => {
    answering = message
    resolve(message)
  })
  request.once('timeout', () => answering.destroy(new Error(`no byte came for ${idleMs / 1_000} s`)))
  request.on('error', reject)
  request.once('close', () => reject(new Error('the connection was closed')))
  request.end()
  return promise
}

async function* translated(body: AsyncIterable<Buffer>, failure: (error: unknown) => unknown): AsyncGenerator<Buffer> {
  try {
    yield* body
  } catch (error) {
    throw failure(error)
  }
}

/** The caller's own abort is passed on as it is. */
function failure(error: unknown, address: string, signal: AbortSignal, timeout: AbortSignal): unknown {
  if (signal.aborted) return signal.reason
  if (error instanceof AppError) return error
  const why = timeout.aborted ? 'it took too long' : reasonOf(error)
  return new AppError('EXTERNAL_SERVICE_ERROR', `${new URL(address).origin} did not answer as it should: ${why}`, {
    cause: error,
  })
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'it failed'
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message
}
