import type { Logger } from '@youworker/runtime/logger'
import { every } from '@youworker/runtime/timing/every'
import type { SystemRepositories, UnitOfWork } from '../unit-of-work.ts'
import type { ReceiptRow } from './receipts.ts'

interface Expired {
  readonly id: string
  readonly space_id: string
}

/** How a service erases things of one table and finds out what is left of them. */
interface Eraser<R> {
  readonly uow: UnitOfWork<R & SystemRepositories>
  readonly table: string
  readonly logger: Logger
  /** In a transaction that sees everything. It locks the row and looks again: the row may be gone by now, or restored. */
  erase(repositories: R & SystemRepositories, expired: Expired): Promise<void>
  /** Whether nothing is left. Then the receipt says so. */
  verify(receipt: ReceiptRow): Promise<boolean>
}

const BATCH = 50
const EVERY_MS = 30_000

/** Does it every half minute. */
export const keepErasing = <R>(eraser: Eraser<R>): AsyncDisposable =>
  every(EVERY_MS, () => eraseDeleted(eraser), { what: `the erasure of deleted ${eraser.table}`, logger: eraser.logger })

/** Erases what could be restored long enough, and verifies what was erased. One that fails does not keep the others. */
export async function eraseDeleted<R>({ uow, table, logger, erase, verify }: Eraser<R>): Promise<void> {
  for (const expired of await uow.system().read(({ deletions }) => deletions.expired(table, BATCH)))
    await uow
      .system()
      .write((repositories) => erase(repositories, expired))
      .catch((error: unknown) => logger.warn({ err: error, table, id: expired.id }, 'it was not erased; it is tried again'))
  for (const receipt of await uow.system().read(({ receipts }) => receipts.unverified(BATCH))) {
    const isGone = await verify(receipt).catch((error: unknown) => {
      logger.warn({ err: error, receipt_id: receipt.id }, 'an erasure was not verified; it is tried again')
      return undefined
    })
    if (isGone === false) logger.error({ receipt_id: receipt.id }, 'something is left of what was erased')
  }
}
