import type { OutgoingHttpHeaders } from 'node:http'
import { Reply } from './answers/reply.ts'
import type { RequestContext } from './request-context.ts'

/** How long a request waits for the result of what it has begun. */
export interface Wait {
  /** What is left of it; not above 0 when it is over. */
  leftMs(): number
  /** `Preference-Applied`, when the client preferred something. */
  readonly headers: OutgoingHttpHeaders
}

/**
 * RFC 7240 section 4: `wait=N` in seconds from the receipt of the request, as far as its deadline allows, and `respond-async`, which
 * waits for nothing. Of a repeated preference the first counts; one that is not valid is ignored.
 */
export function waitOf({ incoming: { headers }, deadline }: RequestContext): Wait {
  const preferences = parsePreferences([headers['prefer'] ?? []].flat().join(','))
  const wait = preferences.get('wait')
  const isAsync = preferences.has('respond-async')
  const seconds = wait !== undefined && /^\d{1,9}$/.test(wait) ? Number(wait) : isAsync ? 0 : undefined
  if (seconds === undefined) return { leftMs: () => deadline.leftOf(deadline.longestMs), headers: {} }
  const ms = Math.min(seconds * 1_000, deadline.longestMs)
  const applied = isAsync && seconds === 0 ? 'respond-async' : `wait=${Math.floor(ms / 1_000)}`
  return { leftMs: () => deadline.leftOf(ms), headers: { 'preference-applied': applied } }
}

/** Parameters after a semicolon mean nothing for these preferences. */
function parsePreferences(header: string): Map<string, string> {
  const preferences = new Map<string, string>()
  const plain = header.replaceAll(/"[^"]*"/g, (quoted) => quoted.slice(1, -1).replaceAll(/[,;=]/g, ' '))
  for (const preference of plain.split(',')) {
    const [name = '', value = ''] = (preference.split(';', 1)[0] ?? '').split('=').map((part) => part.trim())
    if (!preferences.has(name.toLowerCase())) preferences.set(name.toLowerCase(), value)
  }
  return preferences
}

/** 202: what was begun goes on, and `location` tells how far it is. */
export const accepted = (location: string, body: unknown, { headers }: Pick<Wait, 'headers'>): Reply =>
  new Reply(202, body, { location, 'retry-after': '1', ...headers })
