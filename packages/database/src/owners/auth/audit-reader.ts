import { sql, type Transaction } from 'kysely'
import type { AuditEnd } from './audit-chain.ts'
import type { AuditRow, AuthTables } from './tables.ts'

export interface AuditHead extends AuditEnd {
  /** `null` until the chain has begun. */
  readonly key_version: number | null
}

/** Reads the audit trail in the order of its entries. */
export class AuditReader {
  protected readonly db: Transaction<AuthTables>

  constructor(db: Transaction<AuthTables>) {
    this.db = db
  }

  /** The head, and the highest number that an entry has at the same moment. */
  end(): Promise<AuditHead & { readonly last: number }> {
    return this.db
      .selectFrom('audit_head')
      .select(['seq', 'hash', 'key_version'])
      .select(sql<number>`coalesce((select max(seq) from audit_entries), 0)`.as('last'))
      .executeTakeFirstOrThrow()
  }

  /** Entries with `after < seq <= upTo`, oldest first. */
  page({ after, upTo, limit }: { after: number; upTo: number; limit: number }): Promise<AuditRow[]> {
    return this.db
      .selectFrom('audit_entries')
      .selectAll()
      .where('seq', '>', after)
      .where('seq', '<=', upTo)
      .orderBy('seq')
      .limit(limit)
      .execute()
  }
}
