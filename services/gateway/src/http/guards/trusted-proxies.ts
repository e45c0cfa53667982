import type { IncomingMessage } from 'node:http'
import type { Logger } from '@youworker/runtime/logger'
import ipaddr from 'ipaddr.js'
import { AddressList, canonicalAddress, clientAddress } from './client-address.ts'

/** From where a proxy of the same installation connects. A peer on the Internet that sends X-Forwarded-For just makes it up. */
const NEAR = new Set(['loopback', 'private', 'uniqueLocal', 'linkLocal', 'carrierGradeNat'])

/** The proxies of SECURITY__TRUSTED_PROXIES. Notices one that was forgotten there, behind which all clients look like one. */
export class TrustedProxies {
  readonly list: AddressList
  readonly #logger: Logger
  #hint: string | undefined

  constructor(ranges: readonly string[], logger: Logger) {
    this.list = new AddressList(ranges)
    this.#logger = logger
  }

  /** What an operator should set, once a request has shown it. */
  get hint(): string | undefined {
    return this.#hint
  }

  /** At the start, before any request can show a proxy. */
  warnWhenNone(): void {
    if (!this.list.isEmpty) return
    this.#logger.warn('SECURITY__TRUSTED_PROXIES is not set: behind a proxy all clients would count as one, and share its limits')
  }

  clientAddress(incoming: IncomingMessage): string {
    return clientAddress(incoming, this.list)
  }

  /** Call with every request. Logs once. */
  watch({ headers, socket }: IncomingMessage): void {
    if (headers['x-forwarded-for'] === undefined || this.#hint !== undefined) return
    const peer = canonicalAddress(socket.remoteAddress ?? '')
    if (peer === undefined || this.list.includes(peer) || !NEAR.has(ipaddr.parse(peer).range())) return
    const what = `A proxy at ${peer} forwards requests and is not trusted, so all its clients count as one: they share limits, and`
    this.#hint = `${what} failed sign-ins of one slow down the others. Set SECURITY__TRUSTED_PROXIES to ${peer}, or to its network.`
    this.#logger.warn({ peer }, this.#hint)
  }
}
