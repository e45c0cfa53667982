import type { Erasure } from '@youworker/contracts/erasures'
import { newId } from '@youworker/runtime/id'
import { type Selectable, sql, type Transaction } from 'kysely'
import { countSome, listed, type Listed, type ListPage, newestFirst } from '../paging.ts'
import type { SystemTables } from '../schema/system-tables.ts'

export type ReceiptRow = Selectable<SystemTables['erasure_receipts']>

export interface NewReceipt extends Pick<Erasure, 'kind' | 'target_id' | 'reason' | 'deleted_at'> {
  /** Who may read it: each gets one. */
  readonly readers: Iterable<string>
  readonly removed: Readonly<Record<string, number>>
  readonly traces: Readonly<Record<string, readonly string[]>>
}

export interface ReceiptFilter {
  readonly kind?: Erasure['kind'] | undefined
  readonly target_id?: string | undefined
}

/** Receipts of erasures. They hold ids, counts and times, never text. */
export class Receipts {
  readonly #db: Transaction<SystemTables>

  constructor(db: Transaction<SystemTables>) {
    this.#db = db
  }

  /** In the transaction of the erasure. For a unit of work that sees the spaces of all readers. */
  async add({ readers, removed, traces, ...receipt }: NewReceipt): Promise<void> {
    const rows = [...new Set(readers)].map((space_id) => ({
      ...receipt,
      id: newId(),
      space_id,
      removed: JSON.stringify(removed),
      traces: JSON.stringify(traces),
    }))
    await this.#db.insertInto('erasure_receipts').values(rows).execute()
  }

  /** Of erasures that nobody has verified yet, the oldest first. For the system scope. */
  unverified(limit: number): Promise<ReceiptRow[]> {
    return this.#db
      .selectFrom('erasure_receipts')
      .selectAll()
      .where('verified_at', 'is', null)
      .orderBy('erased_at')
      .limit(limit)
      .execute()
  }

  /** The same of one thing, in the scope's spaces. */
  unverifiedOf(targetId: string): Promise<ReceiptRow[]> {
    const receipts = this.#db.selectFrom('erasure_receipts').selectAll()
    return receipts.where('target_id', '=', targetId).where('verified_at', 'is', null).execute()
  }

  /** Nothing is left of what it tells, which was also in `more` places. */
  async verified(id: string, more: Readonly<Record<string, number>> = {}): Promise<void> {
    await this.#db
      .updateTable('erasure_receipts')
      .set({ verified_at: sql<string>`now()`, traces: null, removed: sql<string>`removed || ${JSON.stringify(more)}::jsonb` })
      .where('id', '=', id)
      .execute()
  }

  /** Of one reader. */
  async list(readerId: string, { kind, target_id }: ReceiptFilter, page: ListPage): Promise<Listed<ReceiptRow>> {
    let mine = this.#db.selectFrom('erasure_receipts').where('space_id', '=', readerId)
    if (kind !== undefined) mine = mine.where('kind', '=', kind)
    if (target_id !== undefined) mine = mine.where('target_id', '=', target_id)
    const [rows, counted] = await Promise.all([
      newestFirst(mine.selectAll(), { time: 'erased_at', id: 'id' }, page).execute(),
      countSome(this.#db, (limit) => mine.select('id').limit(limit)),
    ])
    return listed({ rows, page, counted, positionOf: ({ erased_at: time, id }) => ({ time, id }) })
  }

  /** Those of a deleted user. */
  async forget(readerId: string): Promise<void> {
    await this.#db.deleteFrom('erasure_receipts').where('space_id', '=', readerId).execute()
  }
}

/** As those who may read them see them. */
export function toErasures({ rows, ...rest }: Listed<ReceiptRow>) {
  const erasures = rows.map((row): Erasure => {
    const { id, kind, target_id, reason, removed, deleted_at, erased_at, verified_at } = row
    const places = Object.entries(removed).map(([where, count]) => ({ where, count }))
    return { id, kind, target_id, reason, removed: places, deleted_at, erased_at, verified_at }
  })
  return { erasures, ...rest }
}
