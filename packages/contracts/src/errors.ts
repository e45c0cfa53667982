import { z } from 'zod'

/** Every error code of NATS replies and HTTP responses, with its HTTP status. The list is closed. */
export const ERROR_STATUS = {
  VALIDATION_ERROR: 400,
  INVALID_ROLE: 400,
  GROUP_NAME_EXISTS: 400,
  MEMBERSHIP_EXISTS: 400,
  LAST_ADMIN: 400,
  NOT_AUTHENTICATED: 401,
  NOT_AUTHORIZED: 403,
  NOT_GROUP_ADMIN: 403,
  CSRF_VALIDATION_FAILED: 403,
  ROUTE_NOT_FOUND: 404,
  USER_NOT_FOUND: 404,
  API_KEY_NOT_FOUND: 404,
  GROUP_NOT_FOUND: 404,
  MEMBERSHIP_NOT_FOUND: 404,
  SESSION_NOT_FOUND: 404,
  BRANCH_NOT_FOUND: 404,
  MESSAGE_NOT_FOUND: 404,
  RUN_NOT_FOUND: 404,
  MODEL_NOT_FOUND: 404,
  MODEL_BACKEND_NOT_FOUND: 404,
  DOCUMENT_NOT_FOUND: 404,
  BLOB_NOT_FOUND: 404,
  TAG_NOT_FOUND: 404,
  COLLECTION_NOT_FOUND: 404,
  TASK_NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  REQUEST_TIMEOUT: 408,
  CONFLICT: 409,
  IDEMPOTENCY_MISMATCH: 409,
  PAYLOAD_TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
  RATE_LIMIT_EXCEEDED: 429,
  INTERNAL_ERROR: 500,
  DATABASE_ERROR: 500,
  EXTERNAL_SERVICE_ERROR: 502,
  LLM_ERROR: 502,
  CIRCUIT_OPEN: 503,
  SERVICE_UNAVAILABLE: 503,
  DEADLINE_EXCEEDED: 504,
  INSUFFICIENT_STORAGE: 507,
} as const

export type ErrorCode = keyof typeof ERROR_STATUS
export const ErrorCode = z.enum(Object.keys(ERROR_STATUS) as [ErrorCode, ...ErrorCode[]])

/** Codes that any request may end with. A contract declares all others that it uses. */
export const ALWAYS_ALLOWED: readonly ErrorCode[] = [
  'VALIDATION_ERROR',
  'NOT_AUTHENTICATED',
  'NOT_AUTHORIZED',
  'PAYLOAD_TOO_LARGE',
  'IDEMPOTENCY_MISMATCH',
  'INTERNAL_ERROR',
  'DATABASE_ERROR',
  'CIRCUIT_OPEN',
  'SERVICE_UNAVAILABLE',
  'DEADLINE_EXCEEDED',
  'INSUFFICIENT_STORAGE',
]

export const ErrorDetail = z.object({ field: z.string(), message: z.string() })
export type ErrorDetail = z.infer<typeof ErrorDetail>

export interface AppErrorOptions extends ErrorOptions {
  readonly details?: readonly ErrorDetail[]
  /** Seconds after which a retry may succeed. Sent as `Retry-After`. */
  readonly retryAfter?: number
}

/** An expected error. Anything else that is thrown is a bug and reaches callers as `INTERNAL_ERROR`. */
export class AppError extends Error {
  override readonly name = 'AppError'
  readonly code: ErrorCode
  readonly details: readonly ErrorDetail[] | undefined
  readonly retryAfter: number | undefined

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, options)
    this.code = code
    this.details = options.details
    this.retryAfter = options.retryAfter
  }

  /** Makes a `VALIDATION_ERROR` with the invalid fields of a zod error, at most 20. */
  static fromZod(error: z.ZodError, what = 'The request'): AppError {
    const details = error.issues.slice(0, 20).map((issue) => ({ field: issue.path.join('.'), message: issue.message }))
    const first = details[0]
    const where = first?.field ? `${first.field}: ${first.message}` : (first?.message ?? 'invalid')
    return new AppError('VALIDATION_ERROR', `${what} is not valid: ${where}`, { details, cause: error })
  }
}

/** Body of every HTTP, SSE and WebSocket error. It contains OpenAI's four fields. */
export const ErrorBody = z
  .object({
    error: z.object({
      message: z.string(),
      type: z.enum([
        'invalid_request_error',
        'authentication_error',
        'permission_error',
        'not_found_error',
        'rate_limit_error',
        'server_error',
      ]),
      param: z.string().nullable(),
      code: ErrorCode,
      details: z.array(ErrorDetail).optional(),
      correlation_id: z.string(),
    }),
  })
  .meta({ id: 'Error' })
export type ErrorBody = z.infer<typeof ErrorBody>

const TYPE_OF_STATUS: Readonly<Record<number, ErrorBody['error']['type']>> = {
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  429: 'rate_limit_error',
}
/** Published clients search the message for these words. */
const UNAUTHENTICATED = 'Not authenticated'

export function errorBody({ code, message, details }: AppError, correlation_id: string): ErrorBody {
  const status = ERROR_STATUS[code]
  return {
    error: {
      message: code === 'NOT_AUTHENTICATED' && !message.includes(UNAUTHENTICATED) ? `${UNAUTHENTICATED}. ${message}` : message,
      type: TYPE_OF_STATUS[status] ?? (status >= 500 ? 'server_error' : 'invalid_request_error'),
      param: details?.[0]?.field || null,
      code,
      ...(details === undefined ? {} : { details: [...details] }),
      correlation_id,
    },
  }
}
