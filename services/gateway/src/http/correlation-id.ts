import type { IncomingHttpHeaders } from 'node:http'
import { isCorrelationId, newCorrelationId } from '@youworker/runtime/correlation'

/** The caller's id when it is a valid one, else a new one. */
export function correlationIdOf(headers: IncomingHttpHeaders): string {
  const given = headers['x-correlation-id']
  return typeof given === 'string' && isCorrelationId(given) ? given : newCorrelationId()
}
