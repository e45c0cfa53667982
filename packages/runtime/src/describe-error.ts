import { cutText } from './text/text.ts'

interface Described {
  readonly name: string
  readonly message: string
  readonly code?: string
  readonly stack?: string
  readonly cause?: Described
}

const MAX_CAUSES = 5
const MAX_MESSAGE = 1_000
const MAX_STACK = 4_000

/** The parts of an error that may be logged, cut. Other fields may not: some libraries put rows and payloads there. */
export function describeError(error: unknown, depth = 0): Described {
  if (!(error instanceof Error)) return { name: typeof error, message: 'a value that is not an Error was thrown' }
  const { name, message, stack, cause } = error
  const code = 'code' in error && typeof error.code === 'string' ? { code: error.code } : {}
  return {
    name,
    message: cutText(message, MAX_MESSAGE, '…'),
    ...code,
    ...(stack === undefined ? {} : { stack: cutText(stack, MAX_STACK, '…') }),
    ...(cause === undefined || depth >= MAX_CAUSES ? {} : { cause: describeError(cause, depth + 1) }),
  }
}
