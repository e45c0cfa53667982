import type { OutgoingHttpHeaders } from 'node:http'
import { AppError, ERROR_STATUS } from '@youworker/contracts/errors'

const RETRY_LATER = new Set([429, 503, 504])

/** Whatever was thrown, as the error of the system. What is not an `AppError` is a bug and says nothing of itself to strangers. */
export const toAppError = (error: unknown): AppError =>
  error instanceof AppError
    ? error
    : new AppError('INTERNAL_ERROR', 'Something went wrong on our side; the correlation id finds it in the logs', {
        cause: error,
      })

/** Headers that an error's status calls for. */
export function errorHeaders({ code, retryAfter }: AppError): OutgoingHttpHeaders {
  const status = ERROR_STATUS[code]
  if (status === 401) return { 'www-authenticate': 'Bearer realm="youworker"' }
  return RETRY_LATER.has(status) ? { 'retry-after': String(Math.max(1, Math.ceil(retryAfter ?? 1))) } : {}
}
