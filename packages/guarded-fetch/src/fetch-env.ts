import { isIP } from 'node:net'
import { commaList } from '@youworker/runtime/process/config'
import { isRange } from './address-ranges.ts'
import { parseAllowed } from './fetch-policy.ts'

const addresses = (list: readonly string[]) => list.every(isRange)

/** Settings of a process that fetches what users name. */
export const fetchEnv = {
  FETCH__ALLOW: commaList
    .refine((list) => list.every((entry) => parseAllowed(entry)), 'takes wiki.example.com, 10.1.2.0/24 or 10.1.2.3:8080')
    .default([])
    .describe(
      'Internal sites that URLs of users may name although they are not public: hosts, addresses or ranges, each with or without a port. Every user can read what they serve',
    ),
  FETCH__REFUSE: commaList
    .refine(addresses, 'takes addresses and ranges like 203.0.113.0/24')
    .default([])
    .describe('Public addresses that URLs of users may not name: those of your own network, and its NAT64 prefix'),
  FETCH__DNS_SERVERS: commaList
    .refine((list) => list.every((server) => isIP(server.replace(/:\d+$/, '')) !== 0), 'takes addresses like 1.1.1.1')
    .default([])
    .describe('DNS servers that resolve hosts of such URLs; without any, those of the machine'),
}

/** `ownUrls`: of servers that belong to this system, whose ports are closed to users. */
export const fetchSettings = (
  config: { readonly FETCH__ALLOW: string[]; readonly FETCH__REFUSE: string[]; readonly FETCH__DNS_SERVERS: string[] },
  ownUrls: readonly string[],
) => ({
  allow: config.FETCH__ALLOW,
  refuse: config.FETCH__REFUSE,
  dnsServers: config.FETCH__DNS_SERVERS,
  closedPorts: ownUrls.flatMap((list) => list.split(',')).flatMap((url) => Number(new URL(url.trim()).port) || []),
})
