import { AppError, type ErrorCode } from '@youworker/contracts/errors'
import pg from 'pg'

/** An error of Postgres without any value of a statement, so that it is safe to log. */
export class DatabaseFault extends Error {
  override readonly name = 'DatabaseFault'
  /** SQLSTATE, https://www.postgresql.org/docs/current/errcodes-appendix.html */
  readonly sqlstate: string
  readonly constraint: string | undefined

  constructor(error: pg.DatabaseError) {
    super(withoutValues(error))
    this.sqlstate = error.code ?? 'XX000'
    this.constraint = error.constraint
  }
}

/** Whether a write was refused because a row with the same key exists (of this constraint, when named). */
export function isUniqueViolation(error: unknown, constraint?: string): boolean {
  const fault = faultOf(error)
  return fault?.sqlstate === '23505' && (constraint === undefined || fault.constraint === constraint)
}

export function faultOf(error: unknown): DatabaseFault | undefined {
  if (error instanceof DatabaseFault) return error
  return error instanceof AppError && error.cause instanceof DatabaseFault ? error.cause : undefined
}

/** Prepared statements that were lost (26000) or planned for an older schema (0A000): the connection is unusable. */
const UNUSABLE = new Set(['0A000', '26000'])
export const makesUnusable = (error: unknown): boolean => UNUSABLE.has(faultOf(error)?.sqlstate ?? '')

/** Whether a statement was refused only because another one of its transaction had failed. */
export const isRefusedForAnother = (error: unknown): boolean => faultOf(error)?.sqlstate === '25P02'

/**
 * Converts an error of pg: `SERVICE_UNAVAILABLE` when Postgres is down or busy, `INSUFFICIENT_STORAGE` when its disk is full,
 * `DEADLINE_EXCEEDED` when a statement took too long, else `DATABASE_ERROR`.
 */
export function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error
  if (error instanceof TypeError || error instanceof RangeError) {
    return new AppError('INTERNAL_ERROR', 'A value cannot be sent to the database', { cause: error })
  }
  if (!(error instanceof pg.DatabaseError)) {
    return new AppError('SERVICE_UNAVAILABLE', 'The connection to Postgres was lost; try again in a moment', {
      retryAfter: 2,
      cause: error,
    })
  }
  const cause = new DatabaseFault(error)
  const [code, message] = codeAndMessage(cause.sqlstate)
  const retryAfter = RETRY_AFTER_S[code]
  return new AppError(code, message, retryAfter === undefined ? { cause } : { retryAfter, cause })
}

/** The request's time is over before Postgres has answered. */
export const tooLate = (cause?: unknown): AppError =>
  new AppError('DEADLINE_EXCEEDED', 'Postgres did not answer in the time that the request had; try again', {
    retryAfter: 2,
    cause,
  })

/** A commit was sent and not answered. */
export function outcomeUnknown(cause: AppError): AppError {
  const message =
    'Postgres did not say whether the change was saved: look before you repeat it, or repeat it with its Idempotency-Key'
  return new AppError(cause.code, message, { retryAfter: 2, cause })
}

const RETRY_AFTER_S: Readonly<Partial<Record<ErrorCode, number>>> = { SERVICE_UNAVAILABLE: 2, INSUFFICIENT_STORAGE: 60 }

function codeAndMessage(sqlstate: string): [ErrorCode, string] {
  if (sqlstate === '53100') {
    return ['INSUFFICIENT_STORAGE', 'The disk of Postgres is full, so nothing can be stored; ask whoever runs it to make room']
  }
  if (sqlstate === '57014') return ['DEADLINE_EXCEEDED', 'The database took too long to answer; try again or ask for less']
  if (['40001', '40P01', '55P03'].includes(sqlstate)) {
    return ['SERVICE_UNAVAILABLE', 'Another change to the same rows was in the way; try again']
  }
  if (['08', '53', '57'].includes(sqlstate.slice(0, 2)) || sqlstate === '25P03') {
    return ['SERVICE_UNAVAILABLE', 'Postgres is stopping, starting or full; try again in a moment']
  }
  if (['28', '3D'].includes(sqlstate.slice(0, 2))) {
    return ['SERVICE_UNAVAILABLE', 'Postgres refused the connection; check DATABASE__URL and run the migrations']
  }
  return ['DATABASE_ERROR', `The database refused a statement (SQLSTATE ${sqlstate})`]
}

/** Messages of class 22 (data exceptions) quote values; those of other classes name only tables and columns. */
function withoutValues({ code, message }: pg.DatabaseError): string {
  return code?.startsWith('22') ? message.replace(/[:"'].*/s, '').trim() : message
}
