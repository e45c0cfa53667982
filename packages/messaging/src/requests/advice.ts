import type { Request } from '@youworker/contracts/define'

/** What a caller should do about a request that was sent and not answered. */
export function adviceFor({ repeatable }: Pick<Request, 'repeatable'>, idempotencyKey: string | undefined): string {
  if (repeatable) return 'try again'
  if (idempotencyKey !== undefined) return 'whether it was done is unknown: repeat it with the same Idempotency-Key'
  return 'whether it was done is unknown: look before you repeat it (with an Idempotency-Key a repeat does nothing twice)'
}
