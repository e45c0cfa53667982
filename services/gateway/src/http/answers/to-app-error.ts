import { AppError } from '@youworker/contracts/errors'

/** An error that is no `AppError` is a bug: clients get a general message, the details stay in the log. */
export const toAppError = (error: unknown): AppError =>
  error instanceof AppError
    ? error
    : new AppError('INTERNAL_ERROR', 'Something went wrong on our side; the correlation id finds it in the logs', {
        cause: error,
      })
