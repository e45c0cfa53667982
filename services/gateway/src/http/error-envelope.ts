import type { OutgoingHttpHeaders } from 'node:http'
import { AppError, ERROR_STATUS, type ErrorBody } from '@youworker/contracts/errors'

type ErrorType = ErrorBody['error']['type']

const TYPE_OF_STATUS: Readonly<Record<number, ErrorType>> = {
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  429: 'rate_limit_error',
}

const typeOf = (status: number): ErrorType => TYPE_OF_STATUS[status] ?? (status >= 500 ? 'server_error' : 'invalid_request_error')

const RETRY_LATER = new Set([429, 503, 504])
/** Published clients look for these words. */
const UNAUTHENTICATED = 'Not authenticated'

/** Whatever was thrown, as the error of the system. What is not an `AppError` is a bug and says nothing of itself to strangers. */
export const toAppError = (error: unknown): AppError =>
  error instanceof AppError
    ? error
    : new AppError('INTERNAL_ERROR', 'Something went wrong on our side; the correlation id finds it in the logs', {
        cause: error,
      })

export function errorBody({ code, message, details }: AppError, correlationId: string): ErrorBody {
  const text = code === 'NOT_AUTHENTICATED' && !message.includes(UNAUTHENTICATED) ? `${UNAUTHENTICATED}. ${message}` : message
  return {
    error: {
      message: text,
      type: typeOf(ERROR_STATUS[code]),
      param: details?.[0]?.field || null,
      code,
      ...(details === undefined ? {} : { details: [...details] }),
      correlation_id: correlationId,
    },
  }
}

/** Headers that an error's status calls for. */
export function errorHeaders({ code, retryAfter }: AppError): OutgoingHttpHeaders {
  const status = ERROR_STATUS[code]
  if (status === 401) return { 'www-authenticate': 'Bearer realm="youworker"' }
  return RETRY_LATER.has(status) ? { 'retry-after': String(Math.max(1, Math.ceil(retryAfter ?? 1))) } : {}
}
